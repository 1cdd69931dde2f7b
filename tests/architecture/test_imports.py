"""Imports run downwards only, heavy ones stay where they belong. Those under TYPE_CHECKING count as well."""

import ast
import subprocess
import sys
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from architecture.layers import LAYERS

SRC = Path(__file__).parents[2] / "src"
POCKET = Path(__file__).parents[2] / "pocket" / "src"

MAY_ONLY_IMPORT = {
    "reports": {"types", "traces", "errors", "disk", "registry"},
    "disk": {"errors"},
    "interrupts": set(),
    "settings": {"errors", "registry"},
    "registry": {"errors"},
    "errors": set(),
    "types": {"errors", "rounding"},
    "interfaces": {"types"},
    "context": set(),
    "rounding": set(),
    "threads": set(),
}
ONLY_IMPORTED_BY = {
    "cli": {"__main__"},
    "presets": {"cli", "runs", "comparison"},
}
WITHOUT_TORCH = {
    "tasks",
    "reports",
    "settings",
    "registry",
    "errors",
    "types",
    "interfaces",
    "traces",
    "seeds",
    "config",
    "presets",
    "cli",
}
IN_ONE_FILE = [
    "pyarrow",
    "datasets",
    "sacrebleu",
    "rouge_score",
    "reasoning_gym",
    "matplotlib",
    "peft",
    "starlette",
    "uvicorn",
    "verifiers",
    "aiohttp",
    "ray",
]

LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}


def imported_names(path: Path) -> list[str]:
    """Return the absolute names of everything a file imports, wherever in it."""
    package = path.relative_to(SRC).with_suffix("").parts[:-1]
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join([*base, *filter(None, [node.module])])
            names += [f"backsight.{alias.name}" for alias in node.names] if origin == "backsight" else [origin]
    return names


def module_level_names(path: Path) -> set[str]:
    """Return what is imported as soon as the file is."""
    statements = ast.parse(path.read_text(encoding="utf-8")).body
    names = set()
    for node in statements:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def room_of(path: Path) -> str:
    return path.relative_to(SRC / "backsight").with_suffix("").parts[0]


FILES = sorted((SRC / "backsight").rglob("*.py"))
ROOMS = [path for path in FILES if room_of(path) != "__init__"]


def room_imports() -> dict[str, set[str]]:
    """Return the other rooms that each room imports. The package's own `__init__` is no room: it names all, lazily."""
    imports: dict[str, set[str]] = defaultdict(set)
    for path in ROOMS:
        for name in imported_names(path):
            package, _, rest = name.partition(".")
            target = rest.partition(".")[0]
            if package == "backsight" and target in LEVEL and target != room_of(path):
                imports[room_of(path)].add(target)
    return imports


IMPORTS = room_imports()


def test_every_room_has_a_layer_and_every_layer_a_room() -> None:
    assert {room_of(path) for path in ROOMS} == set(LEVEL)


@pytest.mark.parametrize("room", sorted(IMPORTS))
def test_imports_run_downwards(room: str) -> None:
    upwards = {target for target in IMPORTS[room] if LEVEL[target] > LEVEL[room]}
    assert not upwards, f"{room} imports {sorted(upwards)}, which stand above it"


def test_rooms_do_not_import_in_circles() -> None:
    TopologicalSorter(IMPORTS).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("room", sorted(MAY_ONLY_IMPORT))
def test_low_rooms_import_little(room: str) -> None:
    assert IMPORTS.get(room, set()) <= MAY_ONLY_IMPORT[room]


@pytest.mark.parametrize("room", sorted(ONLY_IMPORTED_BY))
def test_high_rooms_are_left_alone(room: str) -> None:
    importers = {other for other, targets in IMPORTS.items() if room in targets}
    assert importers <= ONLY_IMPORTED_BY[room]


def test_nothing_in_the_library_imports_the_pocket_model() -> None:
    importers = [path for path in FILES if any("backsight_pocket" in name for name in imported_names(path))]
    assert importers == []


@pytest.mark.parametrize("package", IN_ONE_FILE)
def test_optional_packages_are_imported_in_one_file(package: str) -> None:
    importers = [
        str(path.relative_to(SRC))
        for path in FILES
        if any(name.partition(".")[0] == package for name in imported_names(path))
    ]
    assert len(importers) == 1, importers


def test_gymnasium_stays_with_the_environments() -> None:
    importers = {
        room_of(path) for path in ROOMS if any(name.partition(".")[0] == "gymnasium" for name in imported_names(path))
    }
    assert importers == {"environments"}


@pytest.mark.parametrize("room", sorted(WITHOUT_TORCH))
def test_light_rooms_do_not_import_torch(room: str) -> None:
    files = [path for path in ROOMS if room_of(path) == room]
    assert files
    for path in files:
        assert "torch" not in module_level_names(path), path


def test_options_do_not_import_torch() -> None:
    files = [path for path in FILES if path.stem in {"options", "config", "catalogue", "algorithms", "engines"}]
    assert len(files) > 10
    for path in files:
        assert "torch" not in module_level_names(path), path


@pytest.mark.parametrize(
    "statement",
    [
        "import backsight",
        "import backsight.cli.main",
        "import backsight.settings",
        "import backsight.tasks.base",
        "import backsight.config",
        "from backsight.presets.base import find_preset; find_preset('sentiment')",
        "from backsight.presets.base import find_preset; find_preset('instructions')",
    ],
)
def test_importing_stays_light(statement: str) -> None:
    """What only its importer would notice: a light module that drags torch in through another one."""
    code = f"import sys; {statement}; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    path = f"{SRC}:{POCKET}"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": path}, timeout=60)


def test_the_scanner_sees_what_it_has_to_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "backsight" / "tasks" / "probe.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "from typing import TYPE_CHECKING\n"
        "from backsight import presets\n"
        "from . import base\n"
        "from ..reports.run_folder import RunReader\n"
        "if TYPE_CHECKING:\n    import torch\n"
        "def late():\n    import pyarrow.parquet\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "SRC", tmp_path)
    assert sorted(imported_names(file)) == [
        "backsight.presets",
        "backsight.reports.run_folder",
        "backsight.tasks",
        "pyarrow.parquet",
        "torch",
        "typing",
    ]
    assert "torch" not in module_level_names(file)
