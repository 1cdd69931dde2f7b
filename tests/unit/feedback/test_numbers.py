"""Numbers from somebody else's code."""

import itertools
import math
from collections import Counter, deque
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from backsight.errors import RewardError
from backsight.feedback.numbers import call_for_number, call_for_steps, finite_reward, in_order, truth


class Bomb:
    """A number that cannot be converted, and cannot be shown."""

    def __float__(self) -> float:
        raise RuntimeError

    __repr__ = __float__  # type: ignore[assignment]


@pytest.mark.parametrize(
    "number",
    [
        2,
        True,
        np.float32(2.5),
        torch.tensor(0.5),
        torch.tensor(0.5, requires_grad=True),
        torch.tensor([0.5]),
        torch.tensor(0.5, dtype=torch.bfloat16),
        np.array(1.5),
        np.array([1.5]),
        Decimal("0.25"),
        Fraction(1, 4),
        -3.4e38,
    ],
)
def test_numbers_of_all_kinds_are_rewards(number: Any) -> None:
    reward = finite_reward(number, "here")
    assert type(reward) is float and reward == number


@pytest.mark.parametrize(
    "answer",
    [
        *(None, math.nan, -math.inf, np.float32(np.inf), "1.0", b"1", [1.0], {1: 2}, 1j, Bomb()),
        *(torch.zeros(2), np.zeros(2), np.zeros((0,)), np.array("1.0"), np.ma.masked),
    ],
)
def test_what_is_no_finite_number_is_refused(answer: Any) -> None:
    with pytest.raises(RewardError, match="^here: .*: a reward is a finite number$"):
        finite_reward(answer, "here")


@pytest.mark.parametrize("answer", [1e39, -1e308, 10**400, np.float64(1e39), np.array([1e39]), Decimal("1e39")])
def test_what_float32_does_not_hold_is_refused(answer: Any) -> None:
    with pytest.raises(RewardError, match="^here: .*: is beyond what float32 holds, 3.4e38; scale the rewards down$"):
        finite_reward(answer, "here")


@pytest.mark.parametrize("one", [True, 1, 1.0, np.bool_(True), np.array(True), np.array([1]), torch.tensor(True)])
def test_truth_values_of_all_kinds(one: Any) -> None:
    assert truth(one, "here") is True
    assert truth(type(one)(False) if isinstance(one, bool | int | float) else one * 0, "here") is False


@pytest.mark.parametrize("answer", [None, "True", 2, 0.5, np.array([True, False]), torch.ones(2), [True], Bomb()])
def test_what_is_neither_true_nor_false_is_refused(answer: Any) -> None:
    with pytest.raises(RewardError, match="^here: .*: give True or False$"):
        truth(answer, "here")


def test_answers_stand_in_an_order() -> None:
    given = [[1, 2], (1, 2), np.arange(2), torch.ones(2, 1), deque([1, 2]), map(int, "12"), {"a": 1, "b": 2}.values()]
    for answer in given:
        assert len(in_order(answer, 2) or ()) == 2
    assert in_order(itertools.repeat(1.0), 2) == [1.0] * 3  # one more than expected, and no more


@pytest.mark.parametrize(
    "answer",
    [
        *(None, 1.0, "12", b"12", bytearray(2), {0: 1.0, 1: 2.0}, {1.0, 2.0}, frozenset([1, 2]), Counter("ab")),
        *({0: 1, 1: 2}.keys(), np.array(1.0), torch.tensor(1.0)),
    ],
)
def test_what_has_no_order_or_would_give_its_keys_is_none(answer: Any) -> None:
    assert in_order(answer, 2) is None


def test_a_table_would_give_its_columns_and_a_series_gives_its_values() -> None:
    pandas = pytest.importorskip("pandas")
    assert in_order(pandas.DataFrame(np.ones((2, 2))), 2) is None
    assert in_order(pandas.Series([0.5, 1.5], index=["a", "b"]), 2) == [0.5, 1.5]


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
