"""The pages say what is true: links lead somewhere, code marked as runnable runs, and what is generated is current."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from backsight.hindsight.catalogue import METHODS
from backsight.training.algorithms import ALGORITHMS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("pocket/*.md")])
LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```python runnable\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
RUNNABLE = [
    pytest.param(code, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, code in enumerate(BLOCK.findall(page.read_text()))
]
README_BYTES = 12_000


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for target in LINK.findall(CODE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            assert target.startswith("https://"), target
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and anchor not in anchors(place)):
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize("code", RUNNABLE)
def test_code_marked_as_runnable_runs(code: str, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(code)
    path = os.pathsep.join(str(ROOT / part) for part in ("src", "pocket/src"))
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr


def test_some_code_is_marked_as_runnable() -> None:
    assert len(RUNNABLE) >= 4


def test_what_is_generated_is_current(tmp_path: Path) -> None:
    generate = load_script(ROOT / "docs" / "generate.py")
    for name in ("concepts.md", "methods.md"):
        (tmp_path / name).write_text((ROOT / "docs" / name).read_text())
    generate.write_pages(tmp_path)
    for name in ("settings.md", "concepts.md", "methods.md"):
        assert (tmp_path / name).read_text() == (ROOT / "docs" / name).read_text(), (
            f"run: python docs/generate.py ({name})"
        )


def test_every_method_stands_in_the_table_of_methods() -> None:
    named = re.findall(r"^\| `(\w+)` \|", section("All methods"), re.MULTILINE)
    assert sorted(named) == sorted(METHODS.own)


def test_it_is_said_of_every_method_and_algorithm_which_source_it_equals() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|[^|]+\|[^|]*\|$", section("Equal to which source"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    without_formula = {"outcome", "supervised", "route", "chain"}
    assert METHODS.own.keys() - named == without_formula
    assert ALGORITHMS.keys() <= named


def section(heading: str) -> str:
    """Return a section of the page on methods."""
    text = (ROOT / "docs" / "methods.md").read_text()
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_entrance_is_short(name: str) -> None:
    assert len((ROOT / name).read_bytes()) <= README_BYTES


def test_both_readmes_show_the_same_commands() -> None:
    blocks = [re.findall(r"^```(?:sh|python)\n(.*?)^```", page.read_text(), re.M | re.S) for page in readmes()]
    english, chinese = ([re.sub(r"\s+#.*", "", block) for block in own] for own in blocks)
    assert english == chinese


def readmes() -> list[Path]:
    return [ROOT / "README.md", ROOT / "README.zh.md"]


def load_script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
