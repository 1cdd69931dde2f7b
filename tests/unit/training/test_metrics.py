"""What a step's rollouts are logged as, on numbers worked out by hand."""

import math

import pytest
from unit.hindsight.fakes import attempt, group_of

from backsight.training.metrics import rollout_metrics
from backsight.types import Feedback


def test_means_are_over_attempts_and_entropy_over_decisions() -> None:
    half, quarter = math.log(1 / 2), math.log(1 / 4)
    group = group_of(
        attempt((1, 2, 3), Feedback(reward=1.0, success=True), log_probs=[half] * 3),
        attempt((1,), Feedback(reward=0.0, success=False), log_probs=[quarter]),
    )
    metrics = rollout_metrics([group])
    assert metrics["reward"] == 0.5 and metrics["reward_std"] == 0.5 and metrics["success"] == 0.5
    assert metrics["completions/mean_length"] == 2.0 and metrics["num_tokens"] == 4.0
    assert metrics["entropy"] == pytest.approx((3 * math.log(2) + math.log(4)) / 4)


def test_nothing_sampled_is_nothing_measured() -> None:
    assert rollout_metrics([]) == {}


def test_a_group_whose_attempts_earned_the_same_counts() -> None:
    same = group_of(attempt((1,), Feedback(reward=0.0)), attempt((2,), Feedback(reward=0.0)), start="one")
    other = group_of(attempt((1,), Feedback(reward=0.0)), attempt((2,), Feedback(reward=2.0)), start="two")
    metrics = rollout_metrics([same, other])
    assert metrics["frac_reward_zero_std"] == 0.5 and metrics["reward_std"] == 0.5
