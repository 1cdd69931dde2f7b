"""DAPO's soft overlong punishment: a completion that comes near the limit of its length loses some of its reward."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from backsight.feedback.sources import ask_source
from backsight.interfaces import FeedbackSource
from backsight.types import Feedback, Trajectory

OVERLONG = "soft_overlong_punishment"
"""Name of the punishment among the rewards, after TRL's function."""


def soft_overlong_punishment(length: int, max_completion_length: int, buffer: int) -> float:
    """Calculate R_length of a completion of `length` tokens, with L_max the cap and L_cache the buffer, both in tokens:

        0                                   where length ≤ L_max - L_cache
        ((L_max - L_cache) - length)/L_cache    where it is above, down to -1 at L_max

    DAPO (Yu 2025, arXiv:2503.14476), equation 13.
    """
    return min(0.0, max(-1.0, (max_completion_length - buffer - length) / buffer))


class OverlongPunishment:
    """A feedback source that punishes long completions besides what another source says.

    Of an episode with several completions the longest counts. An attempt that nobody scored stays without a score.
    Whether an attempt succeeded is decided before it is punished.
    """

    def __init__(self, source: FeedbackSource, max_completion_length: int, buffer: int) -> None:
        self.source, self.max_completion_length, self.buffer = source, max_completion_length, buffer

    @property
    def busy(self) -> Collection[str]:
        return self.source.busy

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
        said = ask_source(self.source, trajectories, seeds)
        return [self._punish(each.with_feedback(own)) for each, own in zip(trajectories, said, strict=True)]

    def _punish(self, attempt: Trajectory) -> Feedback:
        if not attempt.is_scored:
            return attempt.feedback
        longest = max(len(step.action.log_probs) for step in attempt.steps)
        punishment = soft_overlong_punishment(longest, self.max_completion_length, self.buffer)
        return replace(
            attempt.feedback,
            rewards={**attempt.feedback.rewards, OVERLONG: punishment},
            reward=(attempt.feedback.reward or 0.0) + punishment,
            success=attempt.succeeded,
        )
