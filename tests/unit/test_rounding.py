"""Differences that are rounding: no method takes one for a difference of attempts, however large rewards are."""

from dataclasses import replace

import pytest
import torch
from unit.hindsight.fakes import FakeScorer, attempt, episode, make_rows

from backsight.hindsight.advantage.options import (
    BestOfNOptions,
    GiGPOOptions,
    HCAPOOptions,
    HGPOOptions,
    PreferenceOptions,
    VineOptions,
)
from backsight.hindsight.options import MethodOptions
from backsight.hindsight.prompt.options import ChainOfHindsightOptions, ConditionOptions
from backsight.hindsight.response.options import ReviseOptions
from backsight.hindsight.reward.options import RudderOptions
from backsight.hindsight.reward.rudder import Rudder
from backsight.rounding import difference, total
from backsight.types import Example, Feedback, Group, Trajectory

SIZES = [0.1, -0.3, 0.7, 1e-8, 1e12, 1e13 / 3]
SINGLE = [
    HCAPOOptions(),
    VineOptions(segment_length=1),
    BestOfNOptions(),
    PreferenceOptions(),
    ChainOfHindsightOptions(),
    ConditionOptions(),
    ReviseOptions(),
    ReviseOptions(mode="critique"),
]
BY_STEP = [HCAPOOptions(), GiGPOOptions(), GiGPOOptions(scaled=False), HGPOOptions()]


def siblings(rewards: list[float], of_several_steps: bool) -> Group:
    def make(number: int, reward: float) -> Trajectory:
        feedback = Feedback(reward=reward, text="bad")
        if of_several_steps:
            return episode("abc", [0.0] * 3, feedback=feedback)
        return attempt(range(2 + number), feedback, text=f"answer {number}")

    attempts = tuple(make(*pair) for pair in enumerate(rewards))
    return Group("start", attempts, tuple(torch.zeros(each.num_decisions) for each in attempts))


def teaches(row: Example) -> bool:
    return row.imitation_weights is not None or bool(row.advantages is not None and row.advantages.any())


@pytest.mark.parametrize("size", [1e-8, 0.1, 0.7, 1e12, 1e13 / 3])
def test_a_last_bit_is_no_difference_and_a_millionth_is_one(size: float) -> None:
    assert difference(size, size * (1 + 1e-15)) == 0
    assert difference(size * (1 + 1e-6), size) == pytest.approx(1e-6 * size, rel=1e-6)
    assert difference(-size, size) == -2 * size


def test_parts_that_cancel_are_nothing_and_small_ones_are_kept() -> None:
    assert total([0.1, 0.2, -0.3]) == 0 == total([])
    assert total([0.1] * 10) == 1.0
    assert total([1e6, 0.1, -1e6]) == 0.1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("options", "of_several_steps"), [(each, False) for each in SINGLE] + [(each, True) for each in BY_STEP]
)
def test_rewards_that_differ_in_the_last_bit_teach_nothing(
    options: MethodOptions, of_several_steps: bool, size: float
) -> None:
    rewards = [size * (1 + number % 3 * 2.2e-16) for number in range(8)]
    scorer = FakeScorer(verdict=lambda _: Feedback(reward=size))
    assert not any(map(teaches, make_rows(options, siblings(rewards, of_several_steps), scorer=scorer)))


@pytest.mark.parametrize("options", [BestOfNOptions(), PreferenceOptions(), ChainOfHindsightOptions(), HCAPOOptions()])
@pytest.mark.parametrize("size", SIZES)
def test_rewards_that_differ_by_a_millionth_teach_something(options: MethodOptions, size: float) -> None:
    group = siblings([size * (1 + 1e-6), size, size], False)
    assert any(map(teaches, make_rows(options, group)))


def test_a_predictor_of_returns_that_are_equal_gives_no_token_credit() -> None:
    method = Rudder(RudderOptions(first_lessons=1))
    group = siblings([0.7] * 6, False)
    even = replace(group, trajectories=tuple(attempt((7, 8), Feedback(reward=0.7)) for _ in range(6)))
    for _ in range(3):
        rows = make_rows(method, replace(even, advantages=(torch.zeros(2),) * 6))
    assert not any(map(teaches, rows))
