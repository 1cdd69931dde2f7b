"""Numbers from somebody else's code."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from backsight.errors import RewardError
from backsight.feedback.numbers import call_for_number, call_for_steps, finite_reward


@pytest.mark.parametrize("number", [2, True, np.float32(2.5), torch.tensor(0.5), np.array(1.5)])
def test_numbers_of_all_kinds_are_rewards(number: Any) -> None:
    reward = finite_reward(number, "here")
    assert type(reward) is float and reward == float(number)


@pytest.mark.parametrize("answer", [None, math.nan, -math.inf, "1.0", b"1", [1.0], torch.zeros(2)])
def test_what_is_no_finite_number_is_refused(answer: Any) -> None:
    with pytest.raises(RewardError, match="^here: .*: a reward is a finite number$"):
        finite_reward(answer, "here")


def test_a_function_that_raises_is_named() -> None:
    def broken(key: str) -> float:
        raise KeyError(key)

    with pytest.raises(RewardError, match="^the judge: raised KeyError: 'angle': mend the function$") as caught:
        call_for_number("the judge", broken, "angle")
    assert isinstance(caught.value.__cause__, KeyError)
    assert call_for_number("the sum", lambda one, two: one + two, 1, 2) == 3.0


def test_the_step_of_a_bad_answer_is_named() -> None:
    assert call_for_steps("the ratio", lambda one, two: one / two, [(1, 2), (3, 4)]) == (0.5, 0.75)
    assert call_for_steps("the ratio", lambda one, two: one / two, []) == ()
    with pytest.raises(RewardError, match="^the ratio, step 1: raised ZeroDivisionError"):
        call_for_steps("the ratio", lambda one, two: one / two, [(1, 2), (1, 0)])
