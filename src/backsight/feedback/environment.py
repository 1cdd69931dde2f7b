"""Environments, asked as foreign code, and the feedback that they give on a finished episode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from backsight.feedback.asking import ask
from backsight.types import Feedback, Trajectory


def ask_environment(place: str, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call a function of an environment and return its answer; `place` is its name in messages.

    Raises:
        RewardError: when it raised, or gave no answer in time.
    """
    return ask(place, "mend the environment", function, *arguments, **named)


class EnvironmentFeedback:
    """A source that returns the feedback that came with an episode's last step; an empty one if none came.

    The environment is asked when the episode ends and not when the batch is judged, because by then it may be many
    episodes further, and have forgotten what it knew of this one.
    """

    busy = ("env",)

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
        return [trajectory.steps[-1].feedback or Feedback() for trajectory in trajectories]
