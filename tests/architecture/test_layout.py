"""Sizes, names, and that the tree at the end of the README is the one on the disk."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "backsight"
SOURCES = sorted(PACKAGE.rglob("*.py"))


def test_no_file_is_longer_than_500_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > 500} == {}


def test_no_room_for_odds_and_ends() -> None:
    names = {path.stem for path in SOURCES} | {path.parent.name for path in SOURCES}
    assert not names & {"utils", "util", "common", "helpers", "helper", "misc"}


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


def read_tree(readme: str) -> list[tuple[str, str]]:
    """(path, phrase) of each line of the fenced block under the heading 'The tree'."""
    block = re.search(r"^## The tree\n.*?^```\w*\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert block, "README.md has no fenced block under '## The tree'"
    lines = [line.strip() for line in block.group(1).splitlines() if line.strip()]
    return [(path, phrase.strip()) for path, _, phrase in (line.partition("  ") for line in lines)]


def test_the_tree_in_the_readme_is_the_one_on_the_disk() -> None:
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("README.md is not written yet")
    tree = read_tree(readme.read_text(encoding="utf-8"))
    listed = [path for path, _ in tree]
    files = [
        *SOURCES,
        *(ROOT / "examples").glob("*.py"),
        *(ROOT / "benchmarks").glob("*.py"),
    ]
    expected = {path.relative_to(ROOT).as_posix() for path in files if path.name != "__init__.py"}
    assert sorted(expected - set(listed)) == [], "on the disk, not in the README"
    assert [path for path in listed if not (ROOT / path).exists()] == [], "in the README, not on the disk"
    assert len(listed) == len(set(listed)), "listed twice"
    assert [path for path, phrase in tree if not phrase] == [], "without a phrase"


def test_a_tree_is_read_line_by_line() -> None:
    words = "# x\n\n## The tree\n\nWords.\n\n"
    block = "```text\nsrc/a.py    what it  is\n\nMakefile\n```\n"
    assert read_tree(f"{words}{block}\n```\nnot/this  one\n```\n") == [
        ("src/a.py", "what it  is"),
        ("Makefile", ""),
    ]
