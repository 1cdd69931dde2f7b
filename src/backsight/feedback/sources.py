"""How a source of feedback is asked, and what is checked of all that it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from backsight.errors import RewardError, shown
from backsight.feedback.asking import ask
from backsight.feedback.numbers import finite_reward, in_order, truth
from backsight.interfaces import FeedbackSource
from backsight.types import Feedback, Trajectory


def ask_source(
    source: FeedbackSource, trajectories: Sequence[Trajectory], seeds: Sequence[int], seconds: float | None = None
) -> list[Feedback]:
    """Return one feedback for each trajectory, in order, with plain numbers in it.

    Raises:
        RewardError: when the source failed, gave no answer within so many seconds (None: the `PATIENCE` of the run), or
            did not say one `Feedback` for each trajectory, with numbers that float32 holds.
    """
    return ask(lambda: name_of(source), "mend it", _said, source, trajectories, seeds, seconds=seconds)


def _said(source: FeedbackSource, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
    answer = source(trajectories, seeds)
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
    """Return a feedback with plain numbers, and the parts of it that have an order as tuples."""
    count = len(trajectory.steps)
    if not isinstance(feedback.rewards, Mapping):
        raise RewardError(f"{who}, rewards", shown(feedback.rewards), "give numbers by name")
    for name in ("text", "correction", "outcome"):
        if not isinstance(getattr(feedback, name), str | None):
            raise RewardError(f"{who}, {name}", shown(getattr(feedback, name)), "give text or None")
    steps, prompts, share = feedback.step_rewards, feedback.achieved_prompts, feedback.achieved_share
    by_step = feedback.achieved_prompts_by_step  # its members are computed when they are looked at
    if by_step is not None and (not isinstance(by_step, Sequence) or len(by_step) != count):
        raise RewardError(f"{who}, achieved_prompts_by_step", type(by_step).__name__, f"give a sequence of {count}")
    return replace(
        feedback,
        reward=None if feedback.reward is None else finite_reward(feedback.reward, who),
        rewards={str(name): finite_reward(value, f"{who}, {name}") for name, value in feedback.rewards.items()},
        step_rewards=None
        if steps is None
        else tuple(finite_reward(each, who) for each in _one_a_step(f"{who}, step_rewards", steps, count)),
        success=None if feedback.success is None else truth(feedback.success, f"{who}, success"),
        achieved_prompts=None if prompts is None else tuple(_one_a_step(f"{who}, achieved_prompts", prompts, count)),
        achieved_share=None if share is None else finite_reward(share, f"{who}, achieved_share"),
    )


def _one_a_step(place: str, answer: object, count: int) -> list[Any]:
    """Return what stands in an order, one for each step of the episode."""
    members = in_order(answer, count)
    if members is None or len(members) != count:
        what = shown(answer) if members is None else f"{len(members)} of them"
        raise RewardError(place, what, f"give a list with one a step: {count}")
    return members
