"""Sizes, names, and that the tree in the README and the folders of tests are those on the disk."""

import ast
import re
from pathlib import Path

import pytest
from architecture.layers import LAYERS

from backsight.presets.catalogue import PRESETS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "backsight"
UNIT_TESTS = ROOT / "tests" / "unit"
SOURCES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "pocket" / "src").rglob("*.py")])
TESTS = sorted(path for folder in ("tests", "pocket/tests") for path in (ROOT / folder).rglob("*.py"))
SCRIPTS = sorted(path for folder in ("benchmarks", "examples", "docs") for path in (ROOT / folder).rglob("*.py"))
TOP_FOLDERS = ["src/backsight", "pocket", "examples", "benchmarks", "tests", "docs"]


def test_no_file_is_longer_than_500_lines() -> None:
    files = [*SOURCES, *SCRIPTS]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > 500} == {}


def test_no_room_for_odds_and_ends() -> None:
    names = {path.stem for path in SOURCES} | {path.parent.name for path in SOURCES}
    assert not names & {"utils", "util", "common", "helpers", "helper", "misc"}


@pytest.mark.parametrize("path", [*SOURCES, *SCRIPTS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_module_says_what_it_is(path: Path) -> None:
    if path.name == "__init__.py" and not path.read_text(encoding="utf-8").strip():
        return
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring
    assert docstring.splitlines()[0][0] in "`" or docstring[0].isupper()


@pytest.mark.parametrize(
    "path",
    [path for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE],
    ids=lambda path: path.parent.name,
)
def test_subpackages_only_re_export(path: Path) -> None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_import = isinstance(node, ast.Import | ast.ImportFrom)
        is_all = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        assert is_docstring or is_import or is_all, f"{path}:{node.lineno}"


def test_hindsight_has_a_room_for_each_of_the_five_places() -> None:
    children = [path for path in (PACKAGE / "hindsight").iterdir() if path.name != "__pycache__"]
    assert {path.name for path in children if path.is_dir()} == {"reward", "prompt", "response", "advantage", "target"}
    assert len(children) <= 12


def read_tree(readme: str) -> list[str]:
    """Return the folders in the fenced block of text of the README, with the folders that they stand in."""
    block = re.search(r"^```text\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert block, "the README has no fenced block of text with a tree"
    parents: list[str] = []
    folders = []
    for line in block.group(1).splitlines():
        name, _, phrase = line.strip().partition(" ")
        assert phrase.strip(), f"{name} has no phrase"
        depth = (len(line) - len(line.lstrip())) // 2
        parents = [*parents[:depth], name.rstrip("/")]
        folders.append("/".join(parents))
    return folders


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_tree_in_the_readme_is_the_one_on_the_disk(name: str) -> None:
    folders = read_tree((ROOT / name).read_text(encoding="utf-8"))
    packages = {path.parent.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("__init__.py")}
    assert set(folders) == packages | set(TOP_FOLDERS)
    assert len(folders) == len(set(folders)), "listed twice"
    rooms = [folder.removeprefix("src/backsight/") for folder in folders if re.fullmatch(r"src/backsight/\w+", folder)]
    order = [room for layer in LAYERS for room in sorted(layer) if (PACKAGE / room).is_dir()]
    assert rooms == order[::-1], "the list says that imports run downwards in it"


def test_a_tree_is_read_by_its_indentation() -> None:
    block = "```text\nsrc/a/    what it  is\n  b/  words\n    c/  words\n  d/  words\ne/  words\n```\n"
    assert read_tree(f"# x\n\n{block}") == ["src/a", "src/a/b", "src/a/b/c", "src/a/d", "e"]


def module_of_test(path: Path) -> str:
    """Return the path of the module that a test is of."""
    return path.relative_to(UNIT_TESTS).with_name(path.name.removeprefix("test_")).as_posix()


def test_tests_of_units_mirror_the_source() -> None:
    modules = {module_of_test(path) for path in UNIT_TESTS.rglob("test_*.py")}
    assert modules
    assert sorted(each for each in modules if not (PACKAGE / each).exists()) == [], (
        "tests of modules that are not there"
    )


def test_every_module_is_mirrored_or_imported_by_a_test() -> None:
    mirrored = {module_of_test(path) for path in UNIT_TESTS.rglob("test_*.py")}
    # the contract of presets loads each of them by its name
    presets = {str(place).partition(":")[0] for place in PRESETS.own.values()}
    words = "\n".join(path.read_text(encoding="utf-8") for path in TESTS)
    untested = []
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).as_posix()
        dotted = ".".join([PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts])
        parent, _, stem = dotted.rpartition(".")
        is_imported = re.search(rf"{re.escape(dotted)}\b|from {re.escape(parent)} import .*\b{stem}\b", words)
        if (
            path.name not in ("__init__.py", "__main__.py")
            and place not in mirrored
            and dotted not in presets
            and not is_imported
        ):
            untested.append(place)
    assert untested == []


def test_each_kind_of_name_has_one_registry() -> None:
    made = [
        node
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Registry"
    ]
    groups = [node.args[0].value for node in made if isinstance(node.args[0], ast.Constant)]
    kinds = ("engines", "methods", "policies", "presets", "tasks", "trackers")
    assert sorted(groups) == [f"backsight.{kind}" for kind in kinds]
