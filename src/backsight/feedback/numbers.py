"""Checks of the numbers that user-written functions and environments return."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from backsight.errors import RewardError


def finite_reward(answer: object, place: str) -> float:
    """Return a reward as a float; numbers of Python, NumPy and torch will do.

    Raises:
        RewardError: when it is not a number, or not a finite one. `place` names it in the message.
    """
    try:
        reward = math.nan if isinstance(answer, str | bytes) else float(answer)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        reward = math.nan
    if not math.isfinite(reward):
        raise RewardError(place, repr(answer), "a reward is a finite number")
    return reward


def call_for_number(place: str, function: Callable[..., Any], *arguments: Any) -> float:
    """Call a user's function and return the number that it gives; `place` is its name in messages.

    Raises:
        RewardError: when it raised, or did not return a finite number.
    """
    try:
        answer = function(*arguments)
    except Exception as error:  # the user's code may raise anything
        raise RewardError(place, f"raised {type(error).__name__}: {error}", "mend the function") from error
    return finite_reward(answer, place)


def call_for_steps(name: str, function: Callable[..., Any], calls: Iterable[Sequence[Any]]) -> tuple[float, ...]:
    """Call a user's function once for each step of an episode, and return the numbers that it gives.

    Raises:
        RewardError: when it raised, or did not return a finite number. The message names the step.
    """
    return tuple(call_for_number(f"{name}, step {step}", function, *arguments) for step, arguments in enumerate(calls))
