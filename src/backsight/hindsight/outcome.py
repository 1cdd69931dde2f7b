"""`outcome`: no hindsight at all. The advantages of the estimator, on what was sampled. The control.

Place: none; the plain policy gradient (1/N) Σ_i Σ_t ∇ log π(a_t|s_t)·A_t. When every sibling gets the same reward the
advantages are zero and the group teaches nothing: that is what the other methods are for.
"""

from __future__ import annotations

from backsight.hindsight.base import Scorer, on_policy_example
from backsight.types import Example, Group


class Outcome:
    """Plain reinforcement learning."""

    needs_rollouts = True

    def __call__(self, group: Group, scorer: Scorer) -> list[Example]:
        return [
            on_policy_example(trajectory, advantages_S, "outcome")
            for trajectory, advantages_S in zip(group.trajectories, group.advantages, strict=True)
        ]
