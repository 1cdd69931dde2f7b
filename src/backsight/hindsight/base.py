"""What a hindsight method is: a group in, examples out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from backsight.types import ActionValue, Example, Group, Trajectory


class Scorer(Protocol):
    """All that a method may ask of a policy."""

    def encode(self, text: str) -> ActionValue:
        """A response nobody sampled, as the policy would have had to act it."""
        ...


class Hindsight(Protocol):
    """Turn finished trajectories into training examples."""

    needs_rollouts: bool
    """False: the method learns from the start of a group alone, and nothing is sampled for it."""

    def __call__(self, group: Group, scorer: Scorer) -> Sequence[Example]: ...


def on_policy_example(trajectory: Trajectory, advantages_S: Tensor, method: str) -> Example:
    """A trajectory as it was sampled; every decision of a step gets the advantage of the step."""
    steps = trajectory.steps
    decisions_S = torch.tensor([len(step.action.log_probs) for step in steps])
    return Example(
        prompts=tuple(step.observation for step in steps),
        responses=tuple(step.action.value for step in steps),
        method=method,
        advantages=advantages_S.repeat_interleave(decisions_S),
        behaviour_log_probs=torch.cat([step.action.log_probs for step in steps]),
        trajectory=trajectory,
    )
