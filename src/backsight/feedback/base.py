"""Who says something of an episode after it is over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from backsight.types import Feedback, Trajectory


class FeedbackSource(Protocol):
    """Judges finished trajectories: one `Feedback` each, in their order. It may be asked from several threads."""

    @property
    def busy(self) -> Collection[str]:
        """Who is thinking at the moment: whom to name when no answer comes."""
        ...

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> Sequence[Feedback]:
        """The same trajectory and seed give the same feedback, whatever else is asked about."""
        ...
