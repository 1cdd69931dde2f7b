"""How a source of feedback is asked, and what is checked of all that it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backsight.errors import RewardError, shown
from backsight.feedback.asking import ask
from backsight.feedback.numbers import finite_reward, in_order, truth
from backsight.types import Feedback, FeedbackSource, Trajectory


def ask_source(
    source: FeedbackSource, trajectories: Sequence[Trajectory], seeds: Sequence[int], seconds: float | None = None
) -> list[Feedback]:
    """Return one feedback for each trajectory, in order, with plain numbers in it.

    Raises:
        RewardError: when the source failed, gave no answer within so many seconds (None: the `PATIENCE` of the run), or
            did not say one `Feedback` for each trajectory, with numbers that float32 holds.
    """
    answer = ask(lambda: name_of(source), "mend it", source, trajectories, seeds, seconds=seconds)
    said = in_order(answer, len(trajectories))
    if said is None or len(said) != len(trajectories) or not all(isinstance(each, Feedback) for each in said):
        remedy = f"return a list of {len(trajectories)} Feedback, one a trajectory"
        raise RewardError(name_of(source), shown(answer), remedy)
    return [_checked(*each, name_of(source)) for each in zip(said, trajectories, strict=True)]


def name_of(source: FeedbackSource) -> str:
    """Return the names of who is at work in a source, or what the source is if it names nobody."""
    try:
        busy = ", ".join(sorted(set(source.busy)))
    except Exception:  # a source of the user's own may have no such property, or one that fails
        busy = ""
    return busy or f"feedback of {type(source).__name__}"


def _checked(feedback: Feedback, trajectory: Trajectory, who: str) -> Feedback:
    steps = feedback.step_rewards
    if steps is not None and len(steps) != len(trajectory.steps):
        raise RewardError(who, f"{len(steps)} step_rewards", f"give one a step: {len(trajectory.steps)}")
    return replace(
        feedback,
        reward=None if feedback.reward is None else finite_reward(feedback.reward, who),
        rewards={name: finite_reward(value, f"{who}, {name}") for name, value in feedback.rewards.items()},
        step_rewards=None if steps is None else tuple(finite_reward(each, who) for each in steps),
        success=None if feedback.success is None else truth(feedback.success, f"{who}, success"),
    )
