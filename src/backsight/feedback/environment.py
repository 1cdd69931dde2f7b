"""What an environment says of an episode after it is over."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from backsight.errors import RewardError
from backsight.types import Feedback, Trajectory

FEEDBACK = "backsight/feedback"
"""Where the last step's `info` holds it."""
POTENTIAL = "backsight/potential"
"""Where a step's `info` holds how promising the state before its action was."""


class EnvironmentHindsight:
    """The feedback that an environment left in the `info` of an episode's last step; nothing where it left none.

    The environment is asked when the episode ends and not when the batch is judged, because by then it may be
    many episodes further, and what it knew of this one forgotten.
    """

    busy = ("env",)

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
        return [trajectory.steps[-1].info.get(FEEDBACK, Feedback()) for trajectory in trajectories]


def hindsight_rewards(name: str, reward: Callable[..., Any], calls: Iterable[Sequence[Any]]) -> tuple[float, ...]:
    """What the environment's function `reward`, known to its author as `name`, answers to each of the calls.

    Raises:
        RewardError: it raised, or did not answer with a finite number.
    """
    rewards = []
    for number, arguments in enumerate(calls):
        place = f"{name}, step {number}"
        try:
            answer = reward(*arguments)
        except Exception as error:  # an environment may be anybody's code
            raise RewardError(place, f"raised {type(error).__name__}: {error}", "mend the environment") from error
        rewards.append(finite_reward(answer, place))
    return tuple(rewards)


def finite_reward(answer: object, place: str) -> float:
    """A reward as a float; Python's, NumPy's and torch's numbers will do.

    Raises:
        RewardError: it is not a number, or not a finite one.
    """
    try:
        reward = math.nan if isinstance(answer, str | bytes) else float(answer)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        reward = math.nan
    if not math.isfinite(reward):
        raise RewardError(place, repr(answer), "a reward is a finite number")
    return reward
