"""The names that people import, and what setting up promises."""

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import backsight

ROOT = Path(__file__).parents[2]

HOMES = {
    "ChatEndpoint": "feedback.endpoint",
    "Combined": "feedback.combined",
    "DialogueTask": "tasks.dialogue",
    "EpisodesTask": "environments.episodes",
    "Feedback": "types",
    "FeedbackRecord": "feedback.records",
    "Hindsight": "hindsight.base",
    "Item": "tasks.base",
    "Judge": "feedback.judge",
    "LookBack": "hindsight.base",
    "MethodOptions": "hindsight.options",
    "PromptTask": "tasks.base",
    "RewardFunctions": "feedback.reward_functions",
    "RewardModel": "feedback.reward_model",
    "RowsTask": "tasks.rows",
    "SentimentTask": "tasks.sentiment",
    "SummarizationTask": "tasks.summarization",
    "Task": "tasks.base",
    "TranslationTask": "tasks.translation",
    "compare": "comparison.compare",
    "evaluate": "runs.evaluate",
    "finetune": "runs.finetune",
    "load_policy": "runs.start",
    "rlhf_finetune": "runs.classic",
}


@pytest.mark.parametrize("name", HOMES)
def test_every_public_name_loads(name: str) -> None:
    assert getattr(backsight, name) is getattr(import_module(f"backsight.{HOMES[name]}"), name)


def test_dir_lists_the_public_names() -> None:
    assert set(backsight.__all__) == {*HOMES, "__version__"}
    assert set(backsight.__all__) <= set(dir(backsight))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="^module 'backsight' has no attribute 'finetun'$"):
        backsight.finetun  # noqa: B018  (looking it up is the test)


def test_names_are_listed_before_anything_is_imported() -> None:
    code = (
        "import sys, backsight; names = dir(backsight)\n"
        "sys.exit('torch' in sys.modules or not set(backsight.__all__) <= set(names))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_every_dependency_is_pinned() -> None:
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE))
    names: set[str] = set()
    for folder in (ROOT, ROOT / "pocket"):
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        extras = project.get("optional-dependencies", {})
        wanted = [*project["dependencies"], *extras.get("dev", []), *extras.get("docs", [])]
        names |= {_normalised(re.split(r"[<>=]", requirement)[0]) for requirement in wanted}
    assert names - {"backsight"} <= {_normalised(name) for name in pins}
    assert not [version for version in pins.values() if "+" in version], "a local build is not on the package index"


def _normalised(name: str) -> str:
    """Return the name as the package index compares it: whatever separates its words is the same."""
    return re.sub(r"[-_.]+", "-", name).lower()
