"""Reward functions as they are written for TRL, used without changes. They may say more than a number (`records`)."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence, Sized
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any, TypeVar

from backsight.context import holding
from backsight.errors import BacksightError, ConfigError, RewardError, border, describe, shown
from backsight.feedback.arguments import STEP, arguments_of, at_step, choose, label
from backsight.feedback.asking import PATIENCE, ask, insisting, overdue, patience
from backsight.feedback.combined import unite
from backsight.feedback.daemons import EventLoop
from backsight.feedback.numbers import LARGEST, finite_reward, in_order
from backsight.feedback.records import FeedbackRecord, fit_prompts, read_record
from backsight.interfaces import Pending, Place
from backsight.rounding import difference, total
from backsight.types import Feedback, Trajectory

_T = TypeVar("_T")
_Question = tuple[str, int | None]
"""Name of a function, and the number of the completion that it is asked about; None: about all."""

Answer = float | FeedbackRecord | None
"""What a function says of one completion."""

Answers = Sequence[Answer | Awaitable[Answer]]
"""What a function says of each completion, in order."""

RewardFunction = Callable[..., Answers | Awaitable[Answers]]
"""A function ``f(prompts, completions, completion_ids, **columns)``, called by keyword, that returns one reward for
each completion, in order: a list, an array, a tensor or a generator.

In place of a number may stand a `FeedbackRecord`, a dictionary with all that the function knows of the completion.
``None`` says that the function does not apply to a completion. An answer may be awaitable: those of all completions are
awaited together, so that a thousand requests are under way at once, and one that fails is named. A function without
``**kwargs`` receives only what it names. `columns` are those of the data, one list each, with None where a row lacks
the column. The completion of a chat prompt comes as ``[{"role": "assistant", "content": text}]``. All of this are
copies, which the function may change. ``trainer_state`` is a `TrainerState`; ``log_extra`` and ``log_metric`` do
nothing."""

REMEDY = "mend the function, or let it return None where it does not apply"

_PLACE: ContextVar[Place | None] = ContextVar("_PLACE", default=None)


def placing(place: Place | None) -> AbstractContextManager[None]:
    """Have reward functions inside the block called at this place; None: in this process."""
    return holding(_PLACE, place)


class RewardFunctions:
    """A feedback source of several functions, each named by its ``__name__``. The reward is their weighted sum.

    The functions are called in the thread that calls this source. The asynchronous ones run together, in one event
    loop that lasts as long as this source.

    A weight of 0 makes a function a metric. A function that returned None is left out of the sum and of the named
    rewards. If every function that counts did, nobody has scored the attempt: it has no reward, and its success is
    unknown unless a function says it.

    Of records, comments are all kept, in the order of the functions; a correction, an outcome and an achieved prompt
    are those of the first function that gives one. An attempt is a success if a function says so and none says that it
    failed: what is doubtful is not imitated. A weight concerns the reward alone.

    Args:
        functions: the functions, synchronous or asynchronous.
        weights: one weight for each function; 1 by default.
        full_marks: the reward from which an episode counts as a success where no function says it; None: unknown.

    Raises:
        ConfigError: when there is no function, two share a name, or there is not one finite weight for each function.
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
        if len(self.weights) != len(functions) or not all(map(math.isfinite, self.weights)):
            raise ConfigError("reward_weights", self.weights, f"give {len(functions)} finite numbers, one a function")
        self.full_marks = full_marks
        self._at_work: list[_Question] = []
        self._loop = EventLoop("reward functions")

    @property
    def busy(self) -> list[str]:
        """Names of the functions that are at work; of one that is asked about each completion apart, with the first."""
        rows: dict[str, list[int | None]] = {}
        for name, row in list(self._at_work):
            rows.setdefault(name, []).append(row)
        return [
            label(name, own[0]) + (f" and {len(own) - 1} others" if len(own) > 1 else "") for name, own in rows.items()
        ]

    @insisting
    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> Sequence[Feedback]:
        """Return one feedback for each trajectory, in order. The functions do not use the seeds.

        Raises:
            RewardError: when a function raised, gave no answer in time, asks for a column that is not there, or did not
                return one number or None for each completion.
        """
        if not trajectories:
            return []
        known, place = arguments_of(trajectories), _PLACE.get()
        said = self._said(known, len(trajectories)) if place is None else self._said_at(place, known)
        return [
            self._feedback(trajectory, dict(zip(said, row, strict=True)))
            for trajectory, row in zip(trajectories, zip(*said.values(), strict=True), strict=True)
        ]

    def _feedback(self, trajectory: Trajectory, answers: Mapping[str, Feedback]) -> Feedback:
        for name, said in answers.items():
            if said.achieved_prompts is not None:
                prompts = fit_prompts(said.achieved_prompts, trajectory, label(name))
                answers = {**answers, name: replace(said, achieved_prompts=prompts)}
        known = reduce(unite, answers.values(), Feedback())
        reward = self._reward({name: each.reward for name, each in answers.items() if each.reward is not None})
        verdicts = [each.success for each in answers.values() if each.success is not None]
        success = all(verdicts) if verdicts else None
        if success is None and reward is not None and self.full_marks is not None:
            success = difference(reward, self.full_marks) >= 0
        return replace(known, reward=reward, success=success)

    def _reward(self, rewards: Mapping[str, float]) -> float | None:
        """Return the weighted sum of the rewards by function; None if none of them counts."""
        weights = dict(zip(self.functions, self.weights, strict=True))
        counted = [weights[name] * value for name, value in rewards.items() if weights[name] != 0]
        if sum(map(abs, counted)) > LARGEST:
            who = ", ".join(map(label, rewards))
            raise RewardError(who, f"give {counted} together", "is beyond what float32 holds; lower the weights")
        return total(counted) if counted else None

    def _said(self, known: Mapping[str, Any], expected: int) -> dict[str, list[Feedback]]:
        """Return what each function says. All that is awaitable, of one function or of several, is awaited together."""
        said: dict[str, list[Feedback]] = dict.fromkeys(self.functions, [])
        waiting: dict[_Question, Awaitable[object]] = {}
        answers: dict[str, list[object]] = {}

        def call(name: str, arguments: Mapping[str, Any]) -> None:
            answer = self.functions[name](**arguments)
            if inspect.isawaitable(answer):
                waiting[name, None] = answer
                return
            if isinstance(answer, Iterator):
                answer = list(itertools.islice(answer, expected + 1))
            members = in_order(answer, expected) or []
            later = {(name, row): each for row, each in enumerate(members) if inspect.isawaitable(each)}
            waiting.update(later.items())
            if later and len(members) == expected:
                answers[name] = members
            else:
                said[name] = _numbers(name, answer, expected)

        try:
            for name, function in self.functions.items():
                arguments = choose(name, function, known)
                with self._mark_busy((name, None)):
                    ask(label(name), REMEDY, call, name, arguments)
            found = self._await(waiting) if waiting else {}
        except BaseException:
            for answer in waiting.values():  # those that run already are cancelled
                if inspect.iscoroutine(answer) and inspect.getcoroutinestate(answer) == inspect.CORO_CREATED:
                    answer.close()
            raise
        for name, members in answers.items():
            found[name, None] = [found.get((name, row), each) for row, each in enumerate(members)]
        return said | {
            name: ask(label(name), REMEDY, _numbers, name, answer, expected)
            for (name, row), answer in found.items()
            if row is None
        }

    def _said_at(self, place: Place, known: Mapping[str, Any]) -> dict[str, list[Feedback]]:
        """Return what each function says that is called elsewhere, all of them at the same time."""
        pending: dict[str, Pending[list[Feedback]]] = {}
        said: dict[str, list[Feedback]] = {}
        seconds = PATIENCE.get()
        try:
            for name, function in self.functions.items():
                work = partial(_judge, function, known, STEP.get(), seconds)
                with border(partial(RewardError, label(name), "cannot be sent to another machine")):
                    pending[name] = place(work, seconds)
            for name in self.functions:
                with self._mark_busy((name, None)):
                    said[name] = self._answer(name, pending[name], seconds)
                del pending[name]
        finally:
            for each in pending.values():
                each.cancel()
        return said

    def _answer(self, name: str, pending: Pending[list[Feedback]], seconds: float) -> list[Feedback]:
        try:
            return pending.result()
        except BacksightError:
            raise
        except TimeoutError as error:
            raise overdue(label(name), seconds) from error
        except Exception as error:
            raise RewardError(label(name), describe(error), REMEDY) from error

    def _await(self, waiting: Mapping[_Question, Awaitable[object]]) -> dict[_Question, object]:
        """Return what all of these come to say, in their order; the first one that failed is raised."""

        async def answer(place: _Question) -> object:
            with self._mark_busy(place):
                try:
                    return await waiting[place]
                except BaseException as error:  # raised again below: some errors would end the loop
                    return _Raised(error)

        async def answers() -> list[object]:
            return await asyncio.gather(*map(answer, waiting))

        asked = sorted({label(name) for name, _ in waiting})
        known = ask(lambda: ", ".join(sorted(self.busy) or asked), REMEDY, self._run, answers)
        return {place: ask(label(*place), REMEDY, _unwrap, each) for place, each in zip(waiting, known, strict=True)}

    def _run(self, function: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        return self._loop.run(function())

    @contextmanager
    def _mark_busy(self, place: _Question) -> Iterator[None]:
        """Count the function as busy inside the block."""
        self._at_work.append(place)
        try:
            yield
        finally:
            self._at_work.remove(place)


@dataclass(frozen=True, slots=True)
class _Raised:
    error: BaseException


def _unwrap(answer: object) -> object:
    if isinstance(answer, _Raised):
        raise answer.error
    return answer


def _judge(
    function: RewardFunction, known: Mapping[str, Any], state: tuple[int, ...], seconds: float
) -> list[Feedback]:
    """Return what one function says, in a process that knows nothing of the run but this."""
    with patience(seconds), at_step(*state):
        (said,) = RewardFunctions([function])._said(known, len(known["completions"])).values()
    return said


def _name(function: RewardFunction) -> str:
    if not callable(function):
        raise ConfigError("reward_funcs", repr(function), "give a function; wrap a model in one")
    while isinstance(function, partial) and not hasattr(function, "__name__"):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))  # an object with __call__ has no name


def _numbers(name: str, answer: object, expected: int) -> list[Feedback]:
    """Return what a function says of each completion, in order and with plain numbers."""
    answers = in_order(answer, expected)
    if answers is None:
        remedy = f"return a list of {expected} numbers, one a completion"
        raise RewardError(label(name), f"returned {shown(answer)}", remedy)
    if len(answers) != expected:
        count = len(answer) if isinstance(answer, Sized) else len(answers)
        raise RewardError(label(name), f"returned {count} rewards", f"return {expected}, one a completion")
    return [_number(name, row, each) for row, each in enumerate(answers)]


def _number(name: str, row: int, answer: object) -> Feedback:
    """Return what a function says of one completion: a number, a record, or nothing."""
    if answer is None:
        return Feedback()
    if not isinstance(answer, Mapping):
        remedy = "return a finite number, a record, or None where the function does not apply"
        said = Feedback(reward=finite_reward(answer, label(name), f"returned {{}} for completion {row}", remedy))
    else:
        said = read_record(answer, label(name), row)
    if said == Feedback():
        return said
    own = Feedback(reward=said.reward, rewards={} if said.reward is None else {name: said.reward}, sources=(name,))
    return unite(own, said)
