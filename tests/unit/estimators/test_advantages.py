"""Returns and advantages, against numbers worked out by hand."""

import math

import pytest
import torch

from backsight.errors import ConfigError
from backsight.estimators.advantages import (
    ESTIMATORS,
    batch_grpo,
    discounted_returns,
    dr_grpo,
    generalised_advantages,
    grpo,
    reinforce,
    rloo,
)


def returns(*groups: list[list[float]]) -> list[list[torch.Tensor]]:
    return [[torch.tensor(each, dtype=torch.float64) for each in group] for group in groups]


def flat(advantages: list[tuple[torch.Tensor, ...]]) -> list[list[float]]:
    return [each.tolist() for group in advantages for each in group]


def test_reward_to_go_is_discounted_per_step() -> None:
    assert discounted_returns([1.0, 2.0, 4.0], 0.5).tolist() == [3.0, 4.0, 4.0]


def test_undiscounted_returns_sum_what_is_left() -> None:
    assert discounted_returns([1.0, 0.0, 2.0], 1.0).tolist() == [3.0, 2.0, 2.0]


def test_rloo_compares_with_the_mean_of_the_others() -> None:
    (first, second, third) = flat(rloo(returns([[1.0], [0.0], [0.5]])))
    assert first == pytest.approx([1.0 - 0.25])
    assert second == pytest.approx([0.0 - 0.75])
    assert third == pytest.approx([0.5 - 0.5])


def test_grpo_divides_by_the_deviation_and_a_little() -> None:
    (first, second) = flat(grpo(returns([[1.0], [0.0]])))
    assert first == pytest.approx([0.5 / (math.sqrt(0.5) + 1e-4)])
    assert second == pytest.approx([-first[0]])


def test_grpo_scaled_by_the_batch_divides_all_groups_by_one_deviation() -> None:
    # means 0.5 and 3; the four rewards 0, 1, 2, 4 have the mean 1.75 and the variance 8.75 / 3
    advantages = flat(batch_grpo(returns([[0.0], [1.0]], [[2.0], [4.0]])))
    scale = math.sqrt(8.75 / 3) + 1e-4
    assert [each[0] for each in advantages] == pytest.approx([each / scale for each in (-0.5, 0.5, -1.0, 1.0)])
    silent = flat(batch_grpo(returns([[0.5], [0.5]], [[0.0], [1.0]])))
    assert silent[:2] == [[0.0], [0.0]]
    assert silent[3] == pytest.approx([0.5 / (math.sqrt(1 / 6) + 1e-4)])


def test_dr_grpo_only_subtracts_the_mean() -> None:
    assert flat(dr_grpo(returns([[3.0], [1.0]]))) == [[1.0], [-1.0]]


def test_sibling_estimators_credit_every_step_with_the_whole_return() -> None:
    assert flat(dr_grpo(returns([[4.0, 1.0, 1.0], [2.0]]))) == [[1.0, 1.0, 1.0], [-1.0]]


def test_reinforce_compares_with_the_batch_at_the_same_step() -> None:
    # step 0: (3 + 1) / 2 = 2; step 1: (2 + 0) / 2 = 1, since the second episode has nothing left there
    advantages = flat(reinforce(returns([[3.0, 2.0]], [[1.0]])))
    scale = math.sqrt((1.0 + 1.0 + 1.0) / 3)
    assert advantages == [pytest.approx([1.0 / scale, 1.0 / scale]), pytest.approx([-1.0 / scale])]


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_equal_returns_give_no_advantage(name: str) -> None:
    assert flat(ESTIMATORS[name](returns([[1.0], [1.0], [1.0]]))) == [[0.0], [0.0], [0.0]]


@pytest.mark.parametrize("name", ["rloo", "grpo", "batch_grpo", "dr_grpo"])
def test_a_group_of_one_is_refused_where_siblings_are_compared(name: str) -> None:
    with pytest.raises(ConfigError, match="num_generations: 1"):
        ESTIMATORS[name](returns([[1.0]]))


def test_reinforce_takes_a_group_of_one() -> None:
    assert flat(reinforce(returns([[1.0]], [[0.0]]))) == [pytest.approx([1.0]), pytest.approx([-1.0])]


REWARDS, VALUES = [1.0, 0.0, 2.0], [0.5, 1.0, 1.5]


def test_two_steps_of_which_the_second_holds_two_decisions() -> None:
    # γ = 0.9 between the steps, 1 within; λ = 0.5
    third = 2.0 - 1.5
    second = (0.0 + 1.5 - 1.0) + 0.5 * third
    first = (1.0 + 0.9 * 1.0 - 0.5) + 0.9 * 0.5 * second
    advantages = generalised_advantages(REWARDS, VALUES, [0.9, 1.0, 0.9], 0.5)
    assert advantages.tolist() == pytest.approx([first, second, third])


def test_lambda_one_is_reward_to_go_less_what_was_expected() -> None:
    advantages = generalised_advantages(REWARDS, VALUES, [1.0] * 3, 1.0)
    assert advantages.tolist() == pytest.approx([3.0 - 0.5, 2.0 - 1.0, 2.0 - 1.5])


def test_lambda_zero_looks_one_decision_ahead() -> None:
    advantages = generalised_advantages(REWARDS, VALUES, [1.0] * 3, 0.0)
    assert advantages.tolist() == pytest.approx([1.0 + 1.0 - 0.5, 0.0 + 1.5 - 1.0, 2.0 - 1.5])


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
@pytest.mark.parametrize("count", [8, 256])
@pytest.mark.parametrize("reward", [0.1, 0.7, -3.3, 1e-9, 123456.7])
def test_rounding_is_no_difference(name: str, count: int, reward: float) -> None:
    rewards = [[reward], [reward * (1 + 1e-16)], [reward / 3 * 3]] * (count // 3)
    assert {each for (each,) in flat(ESTIMATORS[name](returns(rewards)))} == {0.0}


@pytest.mark.parametrize("name", ["reinforce", "grpo"])
@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12, 1e30])
def test_a_difference_counts_whatever_its_size(name: str, size: float) -> None:
    (worse,), (better,) = flat(ESTIMATORS[name](returns([[size], [3 * size]])))
    assert worse == pytest.approx(-better) and (better > 0.7 or size < 1e-4)


def test_rewards_that_differ_a_little_around_a_large_mean_are_no_rounding() -> None:
    assert flat(dr_grpo(returns([[1000.0], [1000.001]]))) == [pytest.approx([-5e-4]), pytest.approx([5e-4])]


def test_what_is_expected_behind_a_limit_counts_as_earned() -> None:
    # a reward of 1 at every step for ever is worth 1/(1 - 0.9) = 10, and an exact critic is never surprised
    advantages = generalised_advantages([1.0] * 3, [10.0] * 3, [0.9] * 3, 0.95, value_behind=10.0)
    assert advantages.tolist() == pytest.approx([0.0] * 3, abs=1e-6)
    assert generalised_advantages([1.0] * 3, [10.0] * 3, [0.9] * 3, 0.95)[-1] == pytest.approx(-9.0)
