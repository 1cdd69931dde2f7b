"""Reward functions as they are written for TRL, used without changes."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, SupportsFloat, cast

from backsight.errors import ConfigError, RewardError
from backsight.tasks.base import Item, completion_text
from backsight.types import Feedback, Trajectory

RewardFunction = Callable[..., Sequence[float | None] | Awaitable[Sequence[float | None]]]
"""A function ``f(prompts, completions, completion_ids, **columns)``, called by keyword, that returns one reward for
each completion.

``None`` says that the function does not apply to a completion. A function without ``**kwargs`` receives only what it
names. `columns` are those of the data, one list each, with None where a row lacks the column. The completion of a chat
prompt comes as ``[{"role": "assistant", "content": text}]``. ``trainer_state`` (always None), ``log_extra`` and
``log_metric`` (which do nothing) are there for functions that name them."""

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class RewardFunctions:
    """A feedback source of several functions, each named by its ``__name__``. The reward is their weighted sum.

    A weight of 0 makes a function a metric. A function that returned None is left out of the sum and of the named
    rewards; if all did, the reward is 0, as in TRL, and the success is unknown.

    Args:
        functions: the functions, synchronous or asynchronous; the asynchronous ones run together.
        weights: one weight for each function; 1 by default.
        full_marks: the reward from which an episode counts as a success; None: no success is known.

    Raises:
        ConfigError: when there is no function, two share a name, or the weights are not as many as the functions.
    """

    def __init__(
        self,
        functions: Sequence[RewardFunction],
        weights: Sequence[float] | None = None,
        full_marks: float | None = None,
    ) -> None:
        self.functions = {_name(function): function for function in functions}
        if len(self.functions) < max(1, len(functions)):
            names = ", ".join(_name(function) for function in functions)
            raise ConfigError("reward_funcs", names, "give one function or more, each with a name of its own")
        self.weights = [1.0] * len(functions) if weights is None else list(weights)
        if len(self.weights) != len(functions):
            raise ConfigError("reward_weights", self.weights, f"give {len(functions)}, one a function")
        self.full_marks = full_marks
        self.busy: list[str] = []

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> Sequence[Feedback]:
        """Return one feedback for each trajectory, in order. The functions do not use the seeds.

        Raises:
            RewardError: when a function raised, asks for a column that is not there, or did not return one finite
                number or None for each completion.
        """
        if not trajectories:
            return []
        answers = self._answers(_arguments(trajectories))
        rewards = {name: _numbers(name, answers[name], len(trajectories)) for name in self.functions}
        return [self._feedback(dict(zip(rewards, row, strict=True))) for row in zip(*rewards.values(), strict=True)]

    def _feedback(self, answers: Mapping[str, float | None]) -> Feedback:
        rewards = {name: answer for name, answer in answers.items() if answer is not None}
        weights = dict(zip(answers, self.weights, strict=True))
        reward = math.fsum(weights[name] * value for name, value in rewards.items())
        success = None
        if self.full_marks is not None and rewards:
            success = reward >= self.full_marks - 1e-6  # weighted floats may add up to a hair less
        return Feedback(rewards=rewards, reward=reward, success=success, sources=tuple(rewards))

    def _answers(self, known: Mapping[str, Any]) -> dict[str, object]:
        """Return what the functions return, by name.

        The synchronous functions run in this thread, one after the other. The asynchronous ones run together in a
        thread of their own, because this one may have an event loop already, as in a notebook.
        """
        calls = {name: _choose(name, function, known) for name, function in self.functions.items()}
        waiting = {name: function for name, function in self.functions.items() if _is_asynchronous(function)}
        answers: dict[str, object] = {}
        for name, function in self.functions.items():
            if name not in waiting:
                try:
                    with self._mark_busy(name):
                        answers[name] = function(**calls[name])
                except Exception as error:  # the user's code may raise anything
                    raise _failure(name, error) from error

        async def answer(name: str) -> object:
            with self._mark_busy(name):
                return await cast(Awaitable[object], waiting[name](**calls[name]))

        async def gather() -> list[object]:
            return await asyncio.gather(*map(answer, waiting), return_exceptions=True)

        if waiting:
            with ThreadPoolExecutor(max_workers=1) as thread:
                results = thread.submit(lambda: asyncio.run(gather())).result()
            for name, result in zip(waiting, results, strict=True):
                if isinstance(result, BaseException):
                    raise _failure(name, result) from result
                answers[name] = result
        return answers

    @contextmanager
    def _mark_busy(self, name: str) -> Iterator[None]:
        """Count the function as busy inside the block."""
        label = _label(name)
        self.busy.append(label)
        try:
            yield
        finally:
            self.busy.remove(label)


def _name(function: RewardFunction) -> str:
    if not callable(function):
        raise ConfigError("reward_funcs", repr(function), "give a function; wrap a model in one")
    return str(getattr(function, "__name__", type(function).__name__))  # an object with __call__ has no name


def _is_asynchronous(function: RewardFunction) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _arguments(trajectories: Sequence[Trajectory]) -> dict[str, Any]:
    """Return all that a function may ask for, by name. No column of the data hides another argument."""
    items: list[Item] = [trajectory.start for trajectory in trajectories]
    texts = [completion_text(trajectory) for trajectory in trajectories]
    names = dict.fromkeys(name for item in items for name in item.columns)
    return {name: [item.columns.get(name) for item in items] for name in names} | {
        "prompts": [item.prompt for item in items],
        "completions": [
            text if isinstance(item.prompt, str) else [{"role": "assistant", "content": text}]
            for item, text in zip(items, texts, strict=True)
        ],
        "completion_ids": [list(trajectory.steps[-1].action.value) for trajectory in trajectories],
    }


def _choose(name: str, function: RewardFunction, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the known arguments that the function accepts."""
    parameters = list(inspect.signature(function).parameters.values())
    available = {**known, "trainer_state": None, "log_extra": _ignore, "log_metric": _ignore}
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    chosen = dict(known) if takes_all else {}
    for parameter in parameters:
        if parameter.name in available:
            chosen[parameter.name] = available[parameter.name]
        elif parameter.default is parameter.empty and parameter.kind not in _VARIADIC:
            remedy = f"the data has no such column; it has: {', '.join(known)}"
            raise _breach(name, f"asks for '{parameter.name}'", remedy)
    return chosen


def _ignore(*_: object) -> None:
    """Do nothing, in place of TRL's callbacks that log from within a reward function."""


def _numbers(name: str, answer: object, expected: int) -> list[float | None]:
    if not isinstance(answer, Iterable):
        raise _breach(name, f"returned {answer!r}", f"return a list of {expected} numbers, one a completion")
    rewards = list(answer)
    if len(rewards) != expected:
        raise _breach(name, f"returned {len(rewards)} rewards", f"return {expected}, one a completion")
    return [_number(name, row, reward) for row, reward in enumerate(rewards)]


def _number(name: str, row: int, reward: object) -> float | None:
    if reward is None:
        return None
    try:
        number = float(reward) if isinstance(reward, SupportsFloat) else math.nan
    except (TypeError, ValueError, RuntimeError):  # an array or a tensor of several numbers
        number = math.nan
    if not math.isfinite(number):
        remedy = "return a finite number, or None where the function does not apply"
        raise _breach(name, f"returned {reward!r} for completion {row}", remedy)
    return number


def _failure(name: str, error: BaseException) -> RewardError:
    remedy = "mend the function, or let it return None where it does not apply"
    return _breach(name, f"raised {type(error).__name__}: {error}", remedy)


def _breach(name: str, what: str, remedy: str) -> RewardError:
    return RewardError(_label(name), what, remedy)


def _label(name: str) -> str:
    return f"reward function '{name}'"
