"""The soft overlong punishment: its numbers, and what it leaves as it was."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from backsight.errors import RewardError
from backsight.feedback.overlong import OVERLONG, OverlongPunishment, soft_overlong_punishment
from backsight.types import Action, Feedback, Step, Trajectory


class Says:
    """A source that says the same of every attempt."""

    busy = ("judge",)

    def __init__(self, feedback: Feedback) -> None:
        self.feedback = feedback

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
        return [self.feedback for _ in trajectories]


def attempt(*lengths: int, paid: float | None = None) -> Trajectory:
    steps = tuple(Step("p", Action((5,) * length, torch.zeros(length)), paid) for length in lengths)
    return Trajectory("p", steps)


def punish(trajectory: Trajectory, feedback: Feedback) -> Trajectory:
    """The attempt as it is after a cap of 10 tokens with a buffer of 4."""
    (said,) = OverlongPunishment(Says(feedback), 10, 4)([trajectory], [0])
    return trajectory.with_feedback(said)


@pytest.mark.parametrize(("length", "expected"), [(1, 0), (6, 0), (7, -0.25), (9, -0.75), (10, -1), (12, -1)])
def test_the_punishment_grows_over_the_buffer(length: int, expected: float) -> None:
    assert soft_overlong_punishment(length, 10, 4) == expected


def test_it_is_a_named_reward_and_a_part_of_the_reward() -> None:
    punished = punish(attempt(8), Feedback(rewards={"right": 1.0}, reward=1.0))
    assert punished.feedback.rewards == {"right": 1.0, OVERLONG: -0.5}
    assert punished.total_reward == 0.5
    assert punished.succeeded, "what earned the threshold succeeded, however long it was"
    assert not punish(attempt(8), Feedback(reward=1.0, success=False)).succeeded


def test_the_longest_completion_of_an_episode_counts_once() -> None:
    assert punish(attempt(10, 2, 8), Feedback(step_rewards=(1.0, 1.0, 1.0))).rewards == [1.0, 1.0, 0.0]


def test_what_the_environment_paid_is_punished_and_what_nobody_scored_stays_so() -> None:
    assert punish(attempt(10, paid=3.0), Feedback()).total_reward == 2.0
    assert not punish(attempt(10), Feedback()).is_scored


def test_the_source_behind_it_is_named() -> None:
    with pytest.raises(RewardError, match="judge"):
        OverlongPunishment(Says("nothing"), 10, 4)([attempt(1)], [0])  # type: ignore[arg-type]
