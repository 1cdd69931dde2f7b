"""Who says something of an episode after it is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from backsight.types import Feedback, Trajectory


class FeedbackSource(Protocol):
    """Judges finished trajectories: one `Feedback` each, in their order."""

    def __call__(self, trajectories: Sequence[Trajectory], seed: int) -> Sequence[Feedback]: ...
