"""Feedback in the background: finished groups are judged while the next ones are still being sampled."""

from __future__ import annotations

import queue
import threading
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from backsight.errors import RewardError
from backsight.profiling import Profile
from backsight.seeds import derive_seed
from backsight.types import FeedbackSource, Group

PATIENCE = 600.0
"""Seconds to wait for an answer once nothing else is left to do."""
CALLS_A_STEP = 4
"""Number of parts in which a source is asked about the groups of a step: some sources want large batches, and no answer
should come late."""

Numbered = tuple[int, Group]
"""The place of a group among the groups of the step, and the group."""


@dataclass(slots=True)
class PendingFeedback:
    """Groups that are being judged."""

    seed: int
    parts: list[tuple[Future[list[Numbered]], Sequence[Numbered]]] = field(default_factory=list)

    @property
    def num_attempts(self) -> int:
        return sum(len(group.trajectories) for _, part in self.parts for _, group in part)


class FeedbackPool:
    """Threads in which a source is asked. By default there is one, so that functions need not be safe for several.

    The threads are daemons, so that a function that hangs cannot keep the process from ending. A source that needs the
    main thread (some set timers by signals) is asked there from the first complaint on.
    """

    def __init__(self, source: FeedbackSource, timeout: float = PATIENCE, workers: int = 1) -> None:
        self.source, self.timeout, self.workers = source, timeout, workers
        self.profile = Profile()
        self.needs_main_thread = False
        self._questions: queue.SimpleQueue[tuple[Future[list[Numbered]], Sequence[Numbered], int]] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, groups: Iterable[Numbered], count: int, seed: int) -> PendingFeedback:
        """Take groups as they come, `count` in all, and hand them on to be judged."""
        pending = PendingFeedback(seed)
        part: list[Numbered] = []
        for numbered in groups:
            part.append(numbered)
            if len(part) * CALLS_A_STEP >= count:
                pending.parts.append((self._hand_on(part, seed), part))
                part = []
        if part:
            pending.parts.append((self._hand_on(part, seed), part))
        return pending

    def wait(self, pending: PendingFeedback) -> list[Group]:
        """Return the groups with their feedback, in the order of their numbers.

        Raises:
            RewardError: when the source failed, or gave no answer in time.
        """
        with self.profile.phase("reward"):
            answers = [
                numbered for future, part in pending.parts for numbered in self._answer(future, part, pending.seed)
            ]
        return [group for _, group in sorted(answers, key=lambda numbered: numbered[0])]

    def _hand_on(self, part: Sequence[Numbered], seed: int) -> Future[list[Numbered]]:
        future: Future[list[Numbered]] = Future()
        if not self.needs_main_thread:
            self._questions.put((future, part, seed))
            if len(self._threads) < self.workers:
                self._threads.append(threading.Thread(target=self._work, daemon=True))
                self._threads[-1].start()
        return future

    def _work(self) -> None:
        while True:
            future, part, seed = self._questions.get()
            try:
                future.set_result(self._judge_part(part, seed))
            except BaseException as error:  # raised again where the answer is waited for
                future.set_exception(error)

    def _answer(self, future: Future[list[Numbered]], part: Sequence[Numbered], seed: int) -> list[Numbered]:
        if self.needs_main_thread:
            return self._judge_part(part, seed)
        try:
            return future.result(self.timeout)
        except TimeoutError as error:
            who = ", ".join(sorted(set(self.source.busy))) or "feedback"
            remedy = f"gave no answer in {self.timeout:g} s; mend it, or raise reward_timeout"
            raise RewardError(who, "hangs", remedy) from error
        except RewardError as error:
            if not _wants_main_thread(error):
                raise
            warnings.warn(f"{error.field} only works in the main thread: sampling has to wait for it", stacklevel=2)
            self.needs_main_thread = True
            return self._judge_part(part, seed)

    def _judge_part(self, part: Sequence[Numbered], seed: int) -> list[Numbered]:
        trajectories = [trajectory for _, group in part for trajectory in group.trajectories]
        seeds = [derive_seed(seed, number, place) for number, group in part for place in range(len(group.trajectories))]
        feedback = iter(self.source(trajectories, seeds) if trajectories else ())
        return [
            (
                number,
                replace(group, trajectories=tuple(each.with_feedback(next(feedback)) for each in group.trajectories)),
            )
            for number, group in part
        ]


def _wants_main_thread(error: RewardError) -> bool:
    return isinstance(error.__cause__, ValueError) and "main thread" in str(error.__cause__)
