"""How foreign code is asked: within a time, and named for all that it raises.

Reward functions, judges and environments are anybody's code. What they raise, `sys.exit` among it, becomes a
`RewardError` with the name of its author; Ctrl-C and errors of backsight's own pass.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from backsight.context import holding
from backsight.errors import BacksightError, RewardError, describe
from backsight.feedback.deadline import REPEAT, Deadline, Overdue, find_stuck

_P = ParamSpec("_P")
_T = TypeVar("_T")

PATIENCE: ContextVar[float] = ContextVar("PATIENCE", default=600.0)
"""Seconds within which foreign code has to answer."""

_listeners: dict[int, list[BacksightError]] = {}
"""Refusals during each call of foreign code that is under way."""


def patience(seconds: float) -> AbstractContextManager[None]:
    """Give foreign code so many seconds for an answer inside the block."""
    return holding(PATIENCE, seconds)


def ask(
    author: str | Callable[[], str],
    remedy: str,
    function: Callable[..., _T],
    *arguments: Any,
    seconds: float | None = None,
    **named: Any,
) -> _T:
    """Call foreign code and return its answer.

    Args:
        author: name of the code in messages, or a function that says who is at work.
        remedy: what to do when it raises.
        function: the code, called with `arguments` and `named`.
        seconds: time for an answer; None: the `PATIENCE` of the run.

    Raises:
        RewardError: when the code raised, or gave no answer in time.
        BacksightError: what the code was refused, even if it caught that and answered all the same.
    """
    name = author if callable(author) else lambda: author
    deadline = Deadline(name, PATIENCE.get() if seconds is None else seconds)
    refusals = _listeners[id(deadline)] = []
    try:
        deadline.begin()
        answer = function(*arguments, **named)
    except BaseException as error:  # foreign code may raise anything
        if deadline.late is not None:
            raise _overdue(deadline) from None
        if isinstance(error, BacksightError | KeyboardInterrupt | Overdue):
            raise
        raise RewardError(name(), describe(error), remedy) from error
    finally:
        deadline.end()
        del _listeners[id(deadline)]
    if deadline.late is not None:  # it caught the interruption
        raise _overdue(deadline)
    if refusals:
        raise refusals[0]
    return answer


def result_of(future: Future[_T]) -> _T:
    """Return the result of what another thread does.

    Raises:
        RewardError: when foreign code gave no answer in time there, and could not be interrupted.
    """
    stuck = None
    while not wait([future], timeout=REPEAT).done:
        stuck, before = find_stuck(), stuck
        if stuck is not None and stuck is before:  # an interruption did not help
            raise _overdue(stuck)
    return future.result()


def insisting(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Make errors of a function of backsight's stand, even where foreign code that calls it catches them."""

    @functools.wraps(function)
    def call(*arguments: _P.args, **named: _P.kwargs) -> _T:
        try:
            return function(*arguments, **named)
        except BacksightError as error:
            for refusals in list(_listeners.values()):
                refusals.append(error)
            raise

    return call


def overdue(author: str, seconds: float) -> RewardError:
    """Return the error of foreign code that gave no answer in so many seconds."""
    return RewardError(author, "hangs", f"gave no answer in {seconds:g} s; mend it, or raise reward_timeout")


def _overdue(deadline: Deadline) -> RewardError:
    return overdue(deadline.late or "", deadline.seconds)
