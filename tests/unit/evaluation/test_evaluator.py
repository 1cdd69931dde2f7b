"""Attempts at a split, one greedy or several drawn, and what is made of their scores."""

import itertools
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString

from backsight.errors import DataError, RewardError
from backsight.evaluation.evaluator import Evaluation, Scores, evaluate_splits
from backsight.evaluation.statistics import estimate
from backsight.feedback.asking import patience
from backsight.feedback.reward_functions import RewardFunctions
from backsight.interfaces import FeedbackSource
from backsight.rollouts.engines import engine_for
from backsight.tasks.base import Item, Task
from backsight.types import Action, Feedback, Sampling, Step, Trajectory

COUNTS = itertools.count()


def evaluated(task: Task, *, feedback: FeedbackSource | None = None, length: int = 4, **options: Any) -> Evaluation:
    """What came of the splits, with a policy that has learnt nothing."""
    engine, sampling = engine_for(tiny_policy(words=WORDS)), Sampling(max_completion_length=length)
    return evaluate_splits(engine, task, task.episode, feedback or task.feedback(), sampling, 200, **options)


def test_an_empty_split_is_named() -> None:
    class Empty(GoalString):
        """No items out of domain."""

        def items(self, split: str) -> Sequence[Item]:
            return [] if split == "ood" else super().items(split)

    with pytest.raises(DataError, match="ood"):
        evaluated(Empty(1), splits=["test", "ood"])


def test_the_evaluation_splits_are_looked_at_unless_others_are_named() -> None:
    assert list(evaluated(GoalString(1), length=1)) == ["test"]
    assert list(evaluated(GoalString(1), length=1, splits=["train"])) == ["train"]


def test_items_are_drawn_and_are_the_same_in_every_run() -> None:
    """The rows are sorted, as those of many data sets are: the first ones would all be alike."""

    class Sorted(GoalString):
        """A hundred items of one kind before a hundred of another."""

        def items(self, split: str) -> Sequence[Item]:
            return [replace(super(Sorted, self).items(split)[0], id=str(number)) for number in range(200)]

    engine, task = engine_for(tiny_policy(words=WORDS)), Sorted(1)

    def attempted() -> list[int]:
        found = evaluate_splits(engine, task, task.episode, task.feedback(), Sampling(max_completion_length=1), 50)
        return [int(each.start.id) for each in found["test"].trajectories]

    ids = attempted()
    assert ids == attempted() == sorted(set(ids))
    assert len(ids) == 50 and 15 <= sum(each < 100 for each in ids) <= 35


class Hesitant:
    """A judge that scores only the items with some ids."""

    def __init__(self, *ids: str) -> None:
        self.ids, self.busy = ids, ("hesitant",)

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> Sequence[Feedback]:
        return [Feedback(reward=2.0 if each.start.id in self.ids else None) for each in trajectories]


def test_items_that_nobody_scored_are_in_no_mean() -> None:
    scores = evaluated(GoalString(1), feedback=Hesitant("0"))["test"]
    assert (scores.reward.mean, scores.reward.count) == (2.0, 1)
    with pytest.raises(RewardError, match="nobody scored any of 4 items"):
        evaluated(GoalString(1), feedback=Hesitant())


def test_scores_are_means_over_items() -> None:
    task = GoalString(1)
    scores = evaluated(task, length=2)["test"]
    right = [each.steps[-1].action.text == each.start.target for each in scores.trajectories]
    assert scores.reward.mean == pytest.approx(sum(right) / len(right))
    assert scores.rewards["right"].count == len(task.items("test"))


def test_several_samples_are_drawn_and_averaged_by_item() -> None:
    def letters(completions: list[str]) -> list[float]:
        return [float(len(completion)) for completion in completions]

    def scores(num_samples: int) -> Scores:
        return evaluated(GoalString(1), feedback=RewardFunctions([letters]), num_samples=num_samples)["test"]

    sampled = scores(6)
    assert [[each.start.id for each in own] for own in sampled.attempts] == [[str(item)] * 6 for item in range(4)]
    lengths = [[len(each.steps[-1].action.text or "") for each in own] for own in sampled.attempts]
    assert any(len(set(own)) > 1 for own in lengths)
    means = [pytest.approx(sum(own) / 6) for own in lengths]
    assert sampled.item_rewards == {"reward": means, "letters": means}
    assert sampled.reward == estimate([sum(own) / 6 for own in lengths])
    assert sampled.reward == scores(6).reward, "the same draws each time"
    assert [len(own) for own in scores(1).attempts] == [1] * 4


def test_a_metric_of_a_split_has_an_interval_and_no_items() -> None:
    class Letters(GoalString):
        """Counts the letters of a whole split."""

        def split_metrics(self, items: Sequence[Item], completions: Sequence[str]) -> dict[str, float]:
            assert len(items) == len(completions) == 4 * 3
            assert [item.id for item in items[::3]] == [item.id for item in items[2::3]], "an item's attempts together"
            return {"letters": float(sum(map(len, completions)))}

    scores = evaluated(Letters(1), num_samples=3)["test"]
    letters = scores.rewards["letters"]
    assert letters.mean == sum(len(each.steps[-1].action.text or "") for each in scores.trajectories)
    assert letters.low < letters.mean < letters.high and letters.count == 4
    assert set(scores.item_rewards) == {"reward", "right"} and set(scores.split_metrics) == {"letters"}


def test_an_item_without_a_named_reward_has_no_score() -> None:
    step = Step("", Action((1,), torch.zeros(1), "x"))
    attempts = [
        Trajectory(None, (step,), Feedback(rewards=rewards, reward=1.0))
        for rewards in ({"a": 1.0}, {"a": 0.0}, {}, {}, {"a": 1.0}, {})
    ]
    scores = Scores(estimate([1.0] * 3), {"a": estimate([0.5, 1.0])}, tuple(attempts), num_samples=2)
    assert scores.item_rewards == {"reward": [1.0, 1.0, 1.0], "a": [0.5, None, 1.0]}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda: sys.exit(3), r"split_metrics: called sys.exit\(3\): mend the task"),
        (lambda: 1 / 0, "split_metrics: raised ZeroDivisionError: division by zero: mend the task"),
        (lambda: [1.0], r"split_metrics: \[1.0\]: return numbers by name"),
        (lambda: {"f1": float("nan")}, r"split_metrics\['f1'\]: nan: a metric is a finite number"),
        (lambda: {"f1": "high"}, r"split_metrics\['f1'\]: 'high': a metric is a finite number"),
        (lambda: {f"f{next(COUNTS)}": 1.0}, "split_metrics: f0, f1: is there for some draws"),
    ],
)
def test_metrics_of_a_split_that_fail_are_the_tasks(answer: Callable[[], Any], message: str) -> None:
    class Measured(GoalString):
        """Has a figure of its own."""

        def split_metrics(self, items: Sequence[Item], completions: Sequence[str]) -> Any:
            return answer()

    with pytest.raises(RewardError, match=message):
        evaluated(Measured(1), length=1)


def test_metrics_of_a_split_that_hang_are_noticed() -> None:
    class Slow(GoalString):
        """Takes its time."""

        def split_metrics(self, items: Sequence[Item], completions: Sequence[str]) -> Any:
            time.sleep(30)

    with patience(0.2), pytest.raises(RewardError, match="split_metrics: hangs: gave no answer in 0.2 s"):
        evaluated(Slow(1), length=1)
