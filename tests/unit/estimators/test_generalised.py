"""Generalised advantages, against numbers worked out by hand."""

import pytest

from backsight.estimators.generalised import generalised_advantages

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
