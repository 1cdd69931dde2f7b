"""When an alarm is raised, and when not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from toy_tasks import SayWord

from backsight.evaluation.alarms import COMPLETION_LENGTH, DISTINCT, behaviour_metrics, counted_rewards, find_alarms
from backsight.evaluation.paired import Comparison, compare_scores
from backsight.evaluation.statistics import Estimate
from backsight.feedback.combined import Combined
from backsight.feedback.reward_functions import RewardFunctions
from backsight.tasks.base import Item, TaskVerifier
from backsight.types import Action, Step, Trajectory


def change(baseline: float, policy: float, p: float = 0.001) -> Comparison:
    difference = policy - baseline
    return Comparison(baseline, policy, Estimate(difference, difference, difference, 100), p)


def attempts(*texts: str, gold: Sequence[str] | None = None) -> list[tuple[Trajectory, ...]]:
    """One attempt an item, a token a letter."""
    return [
        (
            Trajectory(
                Item(str(number), "p", None if gold is None else gold[number]),
                (Step("p", Action((1,) * len(text), torch.zeros(len(text)), text)),),
            ),
        )
        for number, text in enumerate(texts)
    ]


SAID = attempts("ab", "abcd")
UP = change(0.1, 0.3)


def test_reward_up_and_a_metric_down() -> None:
    assert find_alarms("test", {"reward": UP, "quality": change(0.8, 0.6, 0.002)}, SAID) == [
        "test: the reward rose from 0.1 to 0.3 (p = 0.001), but quality fell from 0.8 to 0.6 (p = 0.002)"
    ]


@pytest.mark.parametrize(
    ("reward", "quality"),
    [
        (UP, change(0.6, 0.8)),
        (UP, change(0.8, 0.6, p=0.06)),
        (change(0.1, 0.3, p=0.06), change(0.8, 0.6)),
        (change(0.3, 0.1), change(0.8, 0.6)),
    ],
)
def test_no_alarm_without_both(reward: Comparison, quality: Comparison) -> None:
    assert find_alarms("test", {"reward": reward, "quality": quality}, SAID) == []


def test_the_level_is_shared_by_the_metrics() -> None:
    falling = change(0.8, 0.6, p=0.04)
    assert len(find_alarms("test", {"reward": UP, "one": falling}, SAID)) == 1
    assert find_alarms("test", {"reward": UP, "one": falling, "two": change(0.5, 0.5, 1.0)}, SAID) == []


def test_a_part_of_the_reward_is_no_witness() -> None:
    assert find_alarms("test", {"reward": UP, "length": change(0.8, 0.6)}, SAID, counted={"length"}) == []


@pytest.mark.parametrize(
    ("length", "gold", "is_alarm"),
    [
        (change(1.0, 3.0), None, True),
        (change(1.0, 1.9), None, False),  # longer, but no explosion
        (change(3.0, 1.0), None, False),
        (change(1.0, 3.0), ["x", "yy"], True),
        (change(1.0, 3.0), ["as long as this", "or even longer than that"], False),  # the task asks for it
    ],
)
def test_completions_that_explode(length: Comparison, gold: list[str] | None, is_alarm: bool) -> None:
    said = attempts("ab", "abcd", gold=gold)
    assert bool(find_alarms("test", {"reward": UP, COMPLETION_LENGTH: length}, said)) is is_alarm


@pytest.mark.parametrize(
    ("distinct", "gold", "is_alarm"),
    [
        (change(1.0, 0.4), None, True),
        (change(1.0, 0.6), None, False),  # fewer, but no collapse
        (change(1.0, 0.4), ["a", "b"], True),
        (change(1.0, 0.5), ["a", "a"], False),  # the gold answers are as much alike
    ],
)
def test_completions_that_collapse(distinct: Comparison, gold: list[str] | None, is_alarm: bool) -> None:
    said = attempts("ab", "ab", gold=gold)
    assert bool(find_alarms("test", {"reward": UP, DISTINCT: distinct}, said)) is is_alarm


def test_behaviour_by_hand() -> None:
    assert behaviour_metrics(attempts("ab ", "ab", "abcd")) == {
        COMPLETION_LENGTH: [3.0, 2.0, 4.0],
        DISTINCT: [0.5, 0.5, 1.0],
    }
    one, two = attempts("a", "bcd")
    twice = behaviour_metrics([(*one, *two), (*one, *two)])
    assert twice == {COMPLETION_LENGTH: [2.0, 2.0], DISTINCT: [0.5, 0.5]}, "of each item the first attempt"


def test_a_length_penalty_that_collapses_to_one_answer_is_found() -> None:
    varied = attempts(*(f"answer {number}" for number in range(40)))
    collapsed = attempts(*["yes"] * 40)
    before, after = behaviour_metrics(varied), behaviour_metrics(collapsed)
    scores = {name: compare_scores(before[name], after[name]) for name in before}
    comparisons = {name: each for name, each in scores.items() if each is not None}
    (alarm,) = find_alarms("test", {"reward": UP, **comparisons}, collapsed)
    assert "distinct completions fell from 1 to 0.025" in alarm


def test_rewards_with_a_weight_are_a_part_of_the_reward() -> None:
    def one(completions: list[str]) -> list[float]:
        return [1.0] * len(completions)

    def two(completions: list[str]) -> list[float]:
        return [2.0] * len(completions)

    mixed = RewardFunctions([one, two], weights=[1, 0])
    assert counted_rewards(mixed) == {"one"}
    assert counted_rewards(Combined([mixed, RewardFunctions([two])], weights=[0, -1])) == {"two"}
    assert counted_rewards(TaskVerifier(SayWord())) == set(), "a judge does not tell"
