"""The feedback that an environment gives on a finished episode, as a source of feedback."""

from __future__ import annotations

from collections.abc import Sequence

from backsight.types import Feedback, Trajectory


class EnvironmentFeedback:
    """A source that returns the feedback that came with an episode's last step; an empty one if none came.

    The environment is asked when the episode ends and not when the batch is judged, because by then it may be many
    episodes further, and have forgotten what it knew of this one.
    """

    busy = ("env",)

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
        return [trajectory.steps[-1].feedback or Feedback() for trajectory in trajectories]
