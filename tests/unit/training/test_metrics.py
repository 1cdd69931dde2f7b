"""What a step's rollouts are logged as, on numbers worked out by hand."""

import math
from dataclasses import replace

import pytest
from unit.hindsight.fakes import attempt, group_of

from backsight.training.metrics import rollout_metrics, unscored
from backsight.types import Feedback, Trajectory


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


def test_equal_rewards_that_are_no_sums_of_halves_have_no_deviation() -> None:
    same = group_of(*(attempt((1,), Feedback(reward=0.7)) for _ in range(8)))
    assert rollout_metrics([same])["frac_reward_zero_std"] == 1.0


def test_attempts_that_nobody_scored_are_in_no_mean_and_are_said() -> None:
    group = group_of(attempt((1,), Feedback(reward=2.0)), attempt((2,), Feedback(reward=4.0)), attempt((3,)))
    silent = group_of(attempt((4,)))
    metrics = rollout_metrics([group, silent])
    assert metrics["reward"] == 3.0 and metrics["reward_std"] == 1.0 and metrics["frac_unscored"] == 0.5
    assert "reward" not in rollout_metrics([silent])
    message = unscored([group, silent])
    assert message is not None and "nobody scored 2 of 4 attempts" in message
    assert unscored([group_of(attempt((1,), Feedback(reward=0.0)))]) is None


def test_thinking_is_counted_where_there_is_some() -> None:
    plain, thinks, only_thinks = (attempt((1,), Feedback(reward=1.0)) for _ in range(3))
    thinks = with_text(thinks, "<think>a</think>b", thought_end=16)
    only_thinks = with_text(only_thinks, "<think>a", thought_end=8)
    assert "thinking/share" not in rollout_metrics([group_of(plain)])
    metrics = rollout_metrics([group_of(plain, plain, thinks, only_thinks)])
    assert (metrics["thinking/share"], metrics["thinking/unfinished"]) == (0.5, 0.5)


def with_text(trajectory: Trajectory, text: str, thought_end: int) -> Trajectory:
    (step,) = trajectory.steps
    return replace(trajectory, steps=(replace(step, action=replace(step.action, text=text, thought_end=thought_end)),))
