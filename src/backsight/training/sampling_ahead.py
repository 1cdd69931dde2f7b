"""Sampling one step ahead: the attempts of the next step are sampled in a thread while those of this one are learnt."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from backsight.feedback.asking import result_of
from backsight.feedback.daemons import DaemonThreads
from backsight.feedback.pool import PendingFeedback

Sample = Callable[[int, int], PendingFeedback]
"""A function from a step, and the number of attempts before it, to the attempts of the step."""


class SamplingAhead:
    """A sampler in the background, which holds at most one step that is being sampled."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._thread = DaemonThreads(1, "sampling ahead")
        self._next: Future[PendingFeedback] | None = None

    def start(self, step: int, attempts: int) -> None:
        """Start to sample a step in the background."""
        self._next = self._thread.submit(self._sample, step, attempts)

    def take(self, step: int, attempts: int) -> PendingFeedback:
        """Return the step that was started, once it is sampled; if none was started, sample it now.

        Raises:
            RewardError: when foreign code gave no answer in time.
        """
        started, self._next = self._next, None
        return self._sample(step, attempts) if started is None else result_of(started)

    def discard(self) -> None:
        """Wait for the step that is being sampled, and drop it."""
        if self._next is not None:
            with suppress(Exception):
                result_of(self._next)
