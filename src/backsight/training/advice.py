"""Why a step taught nothing, in words, and what would have."""

from __future__ import annotations

from collections.abc import Sequence

from backsight.training.config import TrainingConfig
from backsight.training.objective import has_signal
from backsight.types import Example, Group, Trajectory


def nothing_to_learn(groups: Sequence[Group], examples: Sequence[Example], config: TrainingConfig) -> str | None:
    """One line when no example of a step can move the policy; None when one can, or nothing was tried."""
    attempts = [each for group in groups for each in group.trajectories]
    if not attempts or any(has_signal(each, config) for each in examples):
        return None
    rewards = sorted({round(sum(each.rewards), 6) for each in attempts})
    earned = f"{rewards[0]:g}" if len(rewards) == 1 else "the same as their siblings"
    count = "the only group" if len(groups) == 1 else f"all {len(groups)} groups"
    return f"nothing to learn: {count} scored {earned}; {_remedy(attempts)}"


def _remedy(attempts: Sequence[Trajectory]) -> str:
    feedback = [each.feedback for each in attempts]
    if any(each.achieved_goal is not None for each in feedback):
        return "what was achieved instead is known: hindsight=relabel would learn from it"
    if any(each.correction or each.text or each.outcome for each in feedback):
        return "something was said of the attempts: hindsight=self_distill or hindsight=revise would learn from it"
    if all(each.success for each in feedback):
        return "all succeeded: harder prompts would teach something"
    return "give feedback beyond the reward (a correction, a comment, an achieved goal), or easier prompts"
