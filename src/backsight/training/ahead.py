"""One step off: the attempts of the next step are sampled in a thread while those of this one are learnt."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from backsight.feedback.pool import Asked

Sample = Callable[[int, int], Asked]
"""From a step, and the attempts made before it, to the attempts of the step."""


class Ahead:
    """Holds at most one step that is being sampled."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sampling ahead")
        self._next: Future[Asked] | None = None

    def start(self, step: int, attempts: int) -> None:
        self._next = self._thread.submit(self._sample, step, attempts)

    def take(self, step: int, attempts: int) -> Asked:
        """What was started, waited for; the first step of a run is sampled here and now."""
        asked = self._sample(step, attempts) if self._next is None else self._next.result()
        self._next = None
        return asked

    def discard(self) -> None:
        """Wait for what nobody needs any more."""
        self._thread.shutdown()
