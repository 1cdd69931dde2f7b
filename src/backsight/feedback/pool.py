"""Feedback on finished groups: asked for once a step is sampled, or by threads while the next groups are sampled."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from backsight.errors import RewardError
from backsight.feedback.arguments import at_step
from backsight.feedback.asking import PATIENCE
from backsight.feedback.daemons import DaemonThreads
from backsight.feedback.sources import ask_source, name_of
from backsight.interfaces import FeedbackSource
from backsight.profiling import Profile
from backsight.seeds import derive_seed
from backsight.types import Group, Trajectory

CALLS_A_STEP = 4
"""Number of parts in which threads ask a source about the groups of a step: some sources want large batches, and no
answer should come late."""

Numbered = tuple[int, Group]
"""The place of a group among the groups of the step, and the group."""


@dataclass(slots=True)
class PendingFeedback:
    """Groups that are being judged, or will be when their feedback is waited for."""

    seed: int
    step: int | None = None
    """Step of the run; None: as the thread that asks knows it."""
    starts: Sequence[Any] = ()
    """Starts of all groups of the step, also of those that are judged elsewhere."""
    parts: list[tuple[Future[list[Numbered]] | None, Sequence[Numbered]]] = field(default_factory=list)
    """Groups that are judged in one call; without a future, once they are waited for."""


class FeedbackPool:
    """A source of feedback, and when and where it is asked.

    The source is asked in the thread that waits for it: some functions set timers by signals, which only work in the
    main thread, or hold connections that are bound to the thread that opened them. With `workers`, so many threads ask
    instead, while sampling goes on.

    Args:
        source: the source of feedback.
        timeout: seconds to wait for an answer; None: the `PATIENCE` of the run.
        workers: number of threads.
    """

    def __init__(self, source: FeedbackSource, timeout: float | None = None, workers: int = 0) -> None:
        self.source, self.timeout = source, PATIENCE.get() if timeout is None else timeout
        self.profile = Profile()
        self.threads = DaemonThreads(workers, "feedback") if workers else None

    def submit(self, groups: Iterable[Numbered], count: int, seed: int, step: int | None = None) -> PendingFeedback:
        """Take groups of a step of the run as they come, `count` in all, and hand them on to be judged."""
        pending = PendingFeedback(seed, step)
        if self.threads is None:
            pending.parts.append((None, list(groups)))
            return pending
        part: list[Numbered] = []
        for numbered in groups:
            part.append(numbered)
            if len(part) * CALLS_A_STEP >= count:
                self._hand_on(part, pending)
                part = []
        if part:
            self._hand_on(part, pending)
        return pending

    def wait(self, pending: PendingFeedback) -> list[Group]:
        """Return the groups with their feedback, in the order of their numbers.

        Raises:
            RewardError: when the source failed, or gave no answer in time.
        """
        with self.profile.phase("reward"):
            answers = [numbered for future, part in pending.parts for numbered in self._answer(future, part, pending)]
        return [group for _, group in sorted(answers, key=lambda numbered: numbered[0])]

    def _hand_on(self, part: Sequence[Numbered], pending: PendingFeedback) -> None:
        assert self.threads is not None
        future = self.threads.submit(self._judge_part, part, pending.seed, pending.step)
        pending.parts.append((future, part))

    def _answer(
        self, future: Future[list[Numbered]] | None, part: Sequence[Numbered], pending: PendingFeedback
    ) -> list[Numbered]:
        if future is None:
            return self._judge_part(part, pending.seed, pending.step)
        try:
            return future.result(self.timeout)
        except TimeoutError as error:
            remedy = f"gave no answer in {self.timeout:g} s; mend it, or raise reward_timeout"
            raise RewardError(name_of(self.source), "hangs", remedy) from error
        except RewardError as error:
            if not _wants_one_thread(error):
                raise
            warnings.warn(f"{error.field} only works in the main thread; set reward_workers=0", stacklevel=2)
            self.threads = None
            return self._judge_part(part, pending.seed, pending.step)

    def _judge_part(self, part: Sequence[Numbered], seed: int, step: int | None) -> list[Numbered]:
        trajectories = [trajectory for _, group in part for trajectory in group.trajectories]
        seeds = [derive_seed(seed, number, place) for number, group in part for place in range(len(group.trajectories))]
        judged = self._judged(trajectories, seeds, step) if trajectories else iter(())
        return [
            (number, replace(group, trajectories=tuple(next(judged) for _ in group.trajectories)))
            for number, group in part
        ]

    def _judged(
        self, trajectories: Sequence[Trajectory], seeds: Sequence[int], step: int | None
    ) -> Iterator[Trajectory]:
        """Ask the source, and return the trajectories with what it said."""
        with at_step(step):
            said = ask_source(self.source, trajectories, seeds, self.timeout)
        return (each.with_feedback(feedback) for each, feedback in zip(trajectories, said, strict=True))


def _wants_one_thread(error: RewardError) -> bool:
    """Return whether what failed is a timer by signals, or a connection that is bound to the thread that opened it."""
    said = str(error.__cause__)
    is_timer = isinstance(error.__cause__, ValueError) and "main thread" in said
    return is_timer or (isinstance(error.__cause__, sqlite3.ProgrammingError) and "same thread" in said)
