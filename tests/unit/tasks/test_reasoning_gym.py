"""Tasks of reasoning-gym: what is asked, what is revealed, and that no answer is ever run."""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path
from typing import Any

import pytest

from backsight.errors import ConfigError, DataError
from backsight.tasks.base import Item
from backsight.tasks.reasoning_gym import HARMLESS, REFUSED, ReasoningGymTask, check_dataset

EVALUATORS = {"eval", "exec", "literal_eval", "parse_expr", "parse_latex", "sympify"}
EVALUATE_THEIR_OWN = {
    "algorithmic/number_sorting.py",
    "arithmetic/basic_arithmetic.py",
    "arithmetic/bitwise_arithmetic.py",
    "arithmetic/gsm_symbolic/generators_00_49.py",
    "arithmetic/gsm_symbolic/generators_50_99.py",
}
"""They evaluate what they made themselves, never an answer: read in the sources of 0.1.25."""


def make(name: str = "chain_sum", **settings: Any) -> ReasoningGymTask:
    pytest.importorskip("reasoning_gym")
    return ReasoningGymTask(name, **{"train_size": 30, "test_size": 10} | settings)


def first(task: ReasoningGymTask) -> Item:
    return task.items("test")[0]


def test_questions_are_made_on_demand_and_always_the_same() -> None:
    task, again = make(), make()
    assert [len(task.items(split)) for split in ("train", "test")] == [30, 10]
    assert task.items("train")[3] == task.items("train")[2:5][1] == again.items("train")[3]
    assert task.items("train")[-1] == task.items("train")[29]
    with pytest.raises(IndexError):
        task.items("train")[30]


def test_the_splits_share_no_question() -> None:
    """An item is made from the sum of seed and index: test has to start behind the last of train."""
    task = make(train_size=50, test_size=50)
    trained = {item.prompt for item in task.items("train")[:]}
    assert not trained & {item.prompt for item in task.items("test")[:]}
    assert first(make(seed=50)).prompt != first(make()).prompt


def test_gold_answers_get_full_marks() -> None:
    for name in ("chain_sum", "countdown", "puzzle24", "coin_flip", "complex_arithmetic"):
        task = make(name)
        assert (task.validate("train", limit=2), task.validate("test", limit=2)) == (2, 2)


def test_an_answer_may_stand_between_tags() -> None:
    task = make()
    item = first(task)
    said = f"Let me think: <answer>1</answer>, no, <answer> {item.target}\n</answer> it is"
    assert task.judge(item, said).success
    assert task.judge(item, f" {item.target}\n").success


def test_the_right_answer_is_revealed_to_a_failure_only() -> None:
    task = make()
    item = first(task)
    right = task.judge(item, str(item.target))
    assert (right.reward, right.success, right.text, right.correction) == (1.0, True, None, None)
    wrong = task.judge(item, "7")
    assert (wrong.success, wrong.correction) == (False, item.target)
    assert wrong.text == "The answer '7' is wrong."
    assert task.judge(item, "  ").text == "There is no answer."
    partly = task.judge(item, f"it is {item.target}")
    assert 0.1 < (partly.reward or 0) < 1 and not partly.success
    assert "partly right" in (partly.text or "")


@pytest.mark.parametrize("name", ["countdown", "puzzle24"])
@pytest.mark.parametrize(
    "answer",
    [
        "__import__('pathlib').Path('{}').touch()",
        "(lambda: open('{}', 'w'))()",
        "9**9**9**9",
        "9* *9",
        "factorial(99999999)",
        "99999999!",
        "1" * 201,
    ],
)
def test_nothing_but_plain_arithmetic_reaches_an_evaluator(name: str, answer: str, tmp_path: Path) -> None:
    task, canary = make(name), tmp_path / "canary"
    feedback = task.judge(first(task), answer.format(canary))
    assert (feedback.reward, feedback.rewards["readable"]) == (0.0, 0.0)
    assert "cannot be read" in (feedback.text or "")
    assert not canary.exists()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("rubiks_cube", "R999999999"),
        ("rush_hour", "A+999999999"),
        ("coin_flip", "1e999999999"),
        ("complex_arithmetic", "nan"),
    ],
)
def test_answers_that_would_never_be_judged_or_fool_the_judge_are_wrong(name: str, answer: str) -> None:
    task = make(name)
    assert task.judge(first(task), answer).reward == 0


def test_a_judge_that_stumbles_over_an_answer_finds_it_wrong() -> None:
    task = make("prime_factorization")
    feedback = task.judge(first(task), "two times three")
    assert (feedback.reward, feedback.success, feedback.rewards["readable"]) == (0.0, False, 0.0)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_tasks_that_would_run_an_answer_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"reasoning-gym:{name}: refused: "):
        make(name)


def test_every_judge_that_evaluates_is_known() -> None:
    """Another release of reasoning-gym may bring new ones; they have to be looked at before they are let in."""
    factory = pytest.importorskip("reasoning_gym.factory")
    package = Path(factory.__file__).parent
    modules = {name: Path(inspect.getfile(made)) for name, (made, _) in factory.DATASETS.items()}
    known = {str(modules[name].relative_to(package)) for name in REFUSED.keys() | HARMLESS.keys()} | EVALUATE_THEIR_OWN
    evaluating = {str(path.relative_to(package)) for path in package.rglob("*.py") if _calls(path) & EVALUATORS}
    assert evaluating <= known
    assert {"games/n_queens.py", "games/countdown.py", "algebra/simple_integration.py"} <= evaluating


def _calls(path: Path) -> set[str]:
    """Names of all functions that are called in a file."""
    text = path.read_text(encoding="utf-8")
    nodes = ast.walk(ast.parse(text)) if any(name in text for name in EVALUATORS) else ()
    return {ast.unparse(node.func).rpartition(".")[2] for node in nodes if isinstance(node, ast.Call)}


def test_unknown_names_and_options_are_near_misses() -> None:
    with pytest.raises(ConfigError, match="reasoning-gym:chain_sun: unknown; did you mean 'chain_sum'"):
        make("chain_sun")
    with pytest.raises(ConfigError, match="option: max_term: unknown; did you mean 'max_terms'"):
        make(options={"max_term": 3})
    with pytest.raises(ConfigError, match="max_terms=0.*change the options"):
        make(options={"max_terms": 0})
    with pytest.raises(ConfigError, match="train_size: 0"):
        ReasoningGymTask("chain_sum", train_size=0)
    with pytest.raises(DataError, match="did you mean 'test'"):
        make().items("tests")


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym.factory", None)
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(ConfigError, match=r"pip install 'backsight\[reasoning\]'"):
        ReasoningGymTask("chain_sum")


@pytest.mark.parametrize("options", [{"seed": 3}, {"size": 5}])
def test_options_that_would_be_overwritten_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="option s(eed|ize): .: is chosen so that the splits differ"):
        make(options=options)
    with pytest.raises(ConfigError, match="option s(eed|ize)"):
        check_dataset("chain_sum", options)
