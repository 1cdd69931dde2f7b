"""`relabel`: an attempt that failed at what was asked is a success at what it achieved.

Place: the prompt. Revealed: the goal that was achieved in fact, as the prompt that would have asked for it.
Sources: HER (Andrychowicz 2017, arXiv:1707.01495), HIR (Zhang 2023, arXiv:2302.05206), HiR (Zhang 2025,
arXiv:2512.23457).

    L = L_PG(x, y) + weight · (1/N) Σ_t -log π(y_t | x', y_<t)      x' the rewritten prompt, N relabelled decisions

The rewritten row is imitated, not reinforced: nobody sampled y under x', so there is no ratio to take, and the row
says so (`behaviour_log_probs` is None). HIR's label smoothing and entropy bonus are settings of the update
(`label_smoothing_factor`, `entropy_coef`); its ablation calls them load-bearing, on the pocket model they hurt.

When not to use it: where the goal cannot be read off the result (a wrong label is right for no text), or where what
is achieved by failing is never what one would ask for.
"""

from __future__ import annotations

import torch

from backsight.hindsight.base import Scorer, on_policy_example
from backsight.types import Example, Group, Trajectory


class Relabel:
    """The policy gradient on what was asked, and imitation under what was achieved."""

    needs_rollouts = True

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def __call__(self, group: Group, scorer: Scorer) -> list[Example]:
        examples = []
        for trajectory, advantages_S in zip(group.trajectories, group.advantages, strict=True):
            examples.append(on_policy_example(trajectory, advantages_S, "outcome"))
            if trajectory.feedback.achieved_goal is not None:
                examples.append(self._relabelled(trajectory, trajectory.feedback.achieved_goal))
        return examples

    def _relabelled(self, trajectory: Trajectory, prompts: tuple[object, ...]) -> Example:
        return Example(
            prompts=prompts,
            responses=tuple(step.action.value for step in trajectory.steps),
            method="relabel",
            imitation_weights=torch.full((trajectory.num_decisions,), self.weight),
            trajectory=trajectory,
        )
