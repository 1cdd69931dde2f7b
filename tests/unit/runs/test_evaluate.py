"""One policy or two on the splits of a task: everything that `backsight evaluate` and the function find out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString, SayWord

from backsight.config import RunConfig
from backsight.environments.episodes import EpisodesTask
from backsight.errors import BacksightError, ConfigError, DataError, RewardError
from backsight.feedback.reward_functions import RewardFunctions
from backsight.hindsight.options import OutcomeOptions
from backsight.runs.evaluate import Assessment, assess, evaluate
from backsight.runs.finetune import finetune
from backsight.tasks.base import Task
from backsight.tasks.rows import RowsTask
from backsight.training.config import StopConfig

TEXT = " ".join(f"word{number}" for number in range(60))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    policies = {"one": tiny_policy(words=WORDS), "two": tiny_policy(words=WORDS, seed=1)}
    for name, policy in policies.items():
        policy.save(folder / name)
    return {name: str(folder / name) for name in policies}


def found(policy: str, task: Task, **arguments: Any) -> Assessment:
    config = RunConfig(
        preset="toy",
        policy=policy,
        hindsight=OutcomeOptions(),
        stop=StopConfig(max_steps=1),
        max_completion_length=3,
        eval_items=16,
    )
    return assess(config, task, **arguments)


class Corridor:
    """Two turns; the longer both answers are, the better."""

    def reset(self, *, seed: int) -> tuple[str, dict[str, Any]]:
        self.turns, self.letters = 0, 0
        return f"room {seed}:", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.turns, self.letters = self.turns + 1, self.letters + len(action)
        return "next room:", float(len(action)), self.turns == 2, False, {"success": self.letters > 4}


def test_one_policy_alone_has_nothing_to_compare_with(models: dict[str, str]) -> None:
    alone = found(models["one"], GoalString(1))
    assert list(alone.estimates) == ["policy"]
    assert list(alone.estimates["policy"]["test"]) == ["reward", "right", "completion length", "distinct completions"]
    assert (alone.comparisons, alone.alarms) == ({}, [])
    assert alone.item_ids == {"test": ["0", "1", "2", "3"]}


def test_the_same_model_twice_is_the_same(models: dict[str, str], tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    same = found(models["one"], GoalString(2), against=models["one"], samples=3, general_text=text)
    assert same.scores["policy"] == same.scores["against"]
    assert {each.p for named in same.comparisons.values() for each in named.values()} == {1.0}
    assert {each.difference.mean for named in same.comparisons.values() for each in named.values()} == {0.0}
    assert same.alarms == []
    assert {"pass@1", "pass@2", "pass@3"} <= set(same.comparisons["test"])
    assert set(same.comparisons["general text"]) == {"log-probability a token"}


def test_sides_can_be_changed(models: dict[str, str], tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    there = found(models["one"], GoalString(2), against=models["two"], samples=4, general_text=text)
    back = found(models["two"], GoalString(2), against=models["one"], samples=4, general_text=text)
    assert there.estimates["policy"] == back.estimates["against"]
    for split, named in there.comparisons.items():
        for name, each in named.items():
            assert each.p == back.comparisons[split][name].p
            assert each.difference.mean == pytest.approx(-back.comparisons[split][name].difference.mean)


def test_episodes_of_several_turns(models: dict[str, str]) -> None:
    task = EpisodesTask(Corridor, seeds={"train": [0], "test": [1, 2, 3]}, max_turns=2)
    both = found(models["one"], task, against=models["two"], samples=2)
    scores = both.scores["policy"]["test"]
    assert both.item_ids == {"test": ["1", "2", "3"]}
    assert {"reward", "success", "pass@1", "pass@2", "completion length", "distinct completions"} == set(scores)
    lengths = [each for each in scores["completion length"] if each is not None]
    assert len(lengths) == 3 and 0 < max(lengths) <= 3, "tokens of a completion, not of an episode"
    assert scores["pass@1"] == scores["success"]


def test_a_metric_that_falls_while_the_reward_rises_is_an_alarm(models: dict[str, str]) -> None:
    """`quality` is what the reward was meant to stand for; it has no weight in it."""
    task = GoalString(2)
    attempts = evaluate(models["one"], task, max_completion_length=3)["test"].trajectories
    answers = {each.steps[-1].action.text for each in attempts}

    def bribe(completions: list[str]) -> list[float]:
        return [float(completion in answers) for completion in completions]

    def quality(completions: list[str]) -> list[float]:
        return [float(completion not in answers) for completion in completions]

    source = RewardFunctions([bribe, quality], weights=[1, 0])
    worse = found(models["one"], task, against=models["two"], feedback=source)
    assert "test: the reward rose from" in worse.alarms[0] and "but quality fell from" in worse.alarms[0]
    assert not any("bribe" in alarm for alarm in worse.alarms)
    better = found(models["two"], task, against=models["one"], feedback=source)
    assert better.alarms == [], "where the reward fell, nothing is hacked"


def test_results_are_plain_values(models: dict[str, str]) -> None:
    both = found(models["one"], GoalString(1), against=models["two"])
    read = json.loads(json.dumps(both.as_dict()))
    assert read["paths"] == {"policy": models["one"], "against": models["two"]}
    assert read["scores"]["against"]["test"]["reward"] == both.scores["against"]["test"]["reward"]
    assert read["comparisons"]["test"]["reward"]["p"] == both.comparisons["test"]["reward"].p


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"samples": 0}, "samples: 0: has to be at least 1"),
        ({"splits": ["tets"]}, "splits: tets: unknown; did you mean 'test'?"),
        ({"general_text": Path("nowhere.txt")}, "general_text: nowhere.txt: cannot be read"),
        ({"against": "./nowhere"}, "policy: ./nowhere: no such folder"),
    ],
)
def test_bad_input_is_named_before_anything_is_evaluated(
    arguments: dict[str, Any], complaint: str, models: dict[str, str]
) -> None:
    class Untouched(SayWord):
        def judge(self, item: Any, completion: str) -> Any:
            raise AssertionError("evaluated")

    with pytest.raises(BacksightError) as raised:
        found(models["one"], Untouched(), **arguments)
    assert str(raised.value).startswith(complaint)


def test_evaluate_takes_a_run_folder(tmp_path: Path, models: dict[str, str]) -> None:
    task = GoalString(1)
    small = {"prompts_per_step": 2, "num_generations": 2, "max_completion_length": 3, "eval_items": 4}
    run = {"learning_rate": 1e-3, "stop": {"max_steps": 1}, "output_dir": str(tmp_path / "runs")}
    result = finetune(models["one"], task, show_progress=False, **small, **run)
    scores = evaluate(str(result.folder), task, eval_items=4, max_completion_length=3)
    assert scores["test"].reward == result.after["test"].reward


def test_evaluate_refuses_long_prompts_or_cuts_them_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    prompts = ("short", "word " * 40, "also short")
    path.write_text("".join(json.dumps({"prompt": each, "completion": " red"}) + "\n" for each in prompts))
    task, policy = RowsTask(str(path), test=str(path)), tiny_policy("gpt2", WORDS)  # reads 128 tokens
    with pytest.raises(DataError, match=r"test/2.prompt: .*, or set long_prompts=truncate \(1 of 3 items of test"):
        evaluate(policy, task, max_completion_length=8)
    with pytest.warns(UserWarning, match="cut the prompts of 1 of 3 items of test$"):
        scores = evaluate(policy, task, max_completion_length=8, long_prompts="truncate")
    seen = [str(attempt.steps[0].observation) for attempt in scores["test"].trajectories]
    assert (seen[0], seen[2]) == ("short", "also short") and 100 < len(seen[1]) < 120
    # what is not attempted may be as long as it likes
    assert len(evaluate(policy, task, eval_items=1, max_completion_length=8)["test"].trajectories) == 1


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"long_prompts": "cut"}, "long_prompts"),
        ({"max_completion_lenght": 8}, "did you mean 'max_completion_length'"),
        ({"min_completion_length": 9, "max_completion_length": 8}, "min_completion_length: 9"),
    ],
)
def test_evaluate_refuses_a_setting_that_does_not_fit(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        evaluate("pocket", GoalString(1), **settings)


def test_an_unknown_split_is_named_by_the_function(models: dict[str, str]) -> None:
    with pytest.raises(BacksightError, match="tset"):
        evaluate(models["one"], GoalString(1), splits=["tset"])


def test_a_reward_function_that_hangs_is_named_in_time(models: dict[str, str]) -> None:
    def stuck(completions: list[str], **columns: Any) -> list[float]:
        time.sleep(60)
        return []

    with pytest.raises(RewardError, match="^reward function 'stuck': hangs: gave no answer in 0.2 s"):
        evaluate(models["one"], GoalString(1), reward_funcs=stuck, reward_timeout=0.2, max_completion_length=3)
