"""Sampling one step ahead: the attempts of the next step are sampled in a thread while those of this one are learnt."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from backsight.feedback.pool import PendingFeedback

Sample = Callable[[int, int], PendingFeedback]
"""A function from a step, and the number of attempts before it, to the attempts of the step."""


class SamplingAhead:
    """A sampler in the background, which holds at most one step that is being sampled."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sampling ahead")
        self._next: Future[PendingFeedback] | None = None

    def start(self, step: int, attempts: int) -> None:
        """Start to sample a step in the background."""
        self._next = self._thread.submit(self._sample, step, attempts)

    def take(self, step: int, attempts: int) -> PendingFeedback:
        """Return the step that was started, once it is sampled; if none was started, sample it now."""
        pending = self._sample(step, attempts) if self._next is None else self._next.result()
        self._next = None
        return pending

    def discard(self) -> None:
        """Wait for the step that is being sampled, and drop it."""
        self._thread.shutdown()
