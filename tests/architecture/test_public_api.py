"""The names that people import, and what setting up promises."""

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import backsight

ROOT = Path(__file__).parents[2]


def test_public_names_are_sorted_and_exist() -> None:
    assert backsight.__all__ == sorted(["__version__", "compare", "evaluate", "finetune", "rlhf_finetune"])
    assert backsight.finetune is import_module("backsight.finetuning").finetune
    assert backsight.compare is import_module("backsight.comparison.compare").compare
    assert backsight.evaluate is import_module("backsight.finetuning").evaluate
    assert backsight.rlhf_finetune is import_module("backsight.classic").rlhf_finetune


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'finetun'"):
        backsight.finetun  # noqa: B018  (looking it up is the test)


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE))
    names = {_normalised(re.split(r"[<>=]", requirement)[0]) for requirement in wanted}
    assert names <= {_normalised(name) for name in pins}
    assert not [version for version in pins.values() if "+" in version], "a local build is not on the package index"


def _normalised(name: str) -> str:
    """As the package index compares names: whatever separates their words is the same."""
    return re.sub(r"[-_.]+", "-", name).lower()
