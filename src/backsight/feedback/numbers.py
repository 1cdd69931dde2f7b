"""Checks of what user-written functions and environments return: numbers, truth values, and one answer for each."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, SupportsFloat

from backsight.errors import RewardError, shown
from backsight.feedback.asking import ask

LARGEST = (2 - 2**-23) * 2.0**127
"""Largest number of float32, in which losses are computed."""


def finite_reward(answer: object, place: str, form: str = "{}", remedy: str = "a reward is a finite number") -> float:
    """Return a reward as a float; numbers of Python, NumPy and torch will do, and arrays that hold just one.

    Raises:
        RewardError: when it is not a number, or not one that float32 holds. The message names `place`, the
            answer in the given form, and the remedy.
    """
    is_beyond = False
    try:
        reward = _number(answer)
        is_beyond = LARGEST < abs(reward) < math.inf
    except OverflowError:
        reward, is_beyond = math.inf, True
    except (Exception, SystemExit):  # a number of the user's own may raise anything
        reward = math.nan
    if is_beyond:
        remedy = "is beyond what float32 holds, 3.4e38; scale the rewards down"
    if is_beyond or not math.isfinite(reward):
        raise RewardError(place, form.format(shown(answer)), remedy)
    return reward


def _number(answer: Any) -> float:
    if isinstance(answer, float | int):
        return float(answer)
    if hasattr(answer, "tolist"):  # an array or tensor, or a number of theirs
        answer = answer.tolist()
        while isinstance(answer, list) and len(answer) == 1:
            answer = answer[0]
    return float(answer) if isinstance(answer, SupportsFloat) else math.nan


def truth(answer: object, place: str) -> bool:
    """Return a truth value as a bool; those of Python, NumPy and torch will do, and the numbers 0 and 1.

    Raises:
        RewardError: when it is anything else, such as a text or an array of several.
    """
    if isinstance(answer, bool):
        return answer
    try:
        number = _number(answer)
    except (Exception, SystemExit):  # an object of the user's own may raise anything
        number = math.nan
    if number not in (0.0, 1.0):
        raise RewardError(place, shown(answer), "give True or False")
    return bool(number)


def in_order(answer: object, expected: int) -> list[Any] | None:
    """Return answers that stand in an order, at most one more than expected; None when they do not.

    The members of a set have no order, and a table or dictionary would give its keys. Texts are no answers either.
    """
    dimensions = getattr(answer, "ndim", None)
    if isinstance(answer, str | bytes | bytearray | memoryview | Mapping | Set) or not isinstance(answer, Iterable):
        return None
    if dimensions == 0 or (dimensions != 1 and hasattr(answer, "keys")):
        return None
    return list(itertools.islice(answer, expected + 1))


def call_for_number(place: str, function: Callable[..., Any], *arguments: Any) -> float:
    """Call a user's function and return the number that it gives; `place` is its name in messages.

    Raises:
        RewardError: when it raised, gave no answer in time, or did not return a finite number.
    """
    return finite_reward(ask(place, "mend the function", function, *arguments), place)


def call_for_steps(name: str, function: Callable[..., Any], calls: Iterable[Sequence[Any]]) -> tuple[float, ...]:
    """Call a user's function once for each step of an episode, and return the numbers that it gives.

    Raises:
        RewardError: when it raised, or did not return a finite number. The message names the step.
    """
    return tuple(call_for_number(f"{name}, step {step}", function, *arguments) for step, arguments in enumerate(calls))
