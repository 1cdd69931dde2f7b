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

from dataclasses import replace

import torch

from backsight.hindsight.base import Scorer, on_policy_example
from backsight.types import Example, Group, Observation, Trajectory


class Relabel:
    """The policy gradient on what was asked, and imitation under what was achieved."""

    needs_rollouts = True

    def __init__(
        self, outcome_weight: float = 1.0, imitation_weight: float = 1.0, max_replays: int | None = None
    ) -> None:
        self.outcome_weight = outcome_weight
        self.imitation_weight = imitation_weight
        self.max_replays = max_replays

    def __call__(self, group: Group, scorer: Scorer) -> list[Example]:
        examples = []
        if self.outcome_weight > 0:
            for trajectory, advantages_S in zip(group.trajectories, group.advantages, strict=True):
                asked = on_policy_example(trajectory, advantages_S, "outcome")
                examples.append(replace(asked, weight=self.outcome_weight))
        achieved = [(each, prompts) for each in group.trajectories if (prompts := _achieved(each)) is not None]
        achieved.sort(key=lambda pair: _kept_share(pair[0]), reverse=True)
        return examples + [self._imitated(*pair) for pair in achieved[: self.max_replays]]

    def _imitated(self, trajectory: Trajectory, prompts: tuple[Observation, ...]) -> Example:
        return Example(
            prompts=prompts,
            responses=tuple(step.action.value for step in trajectory.steps),
            method="relabel",
            imitation_weights=torch.ones(trajectory.num_decisions),
            weight=self.imitation_weight,
            trajectory=trajectory,
        )


def _achieved(trajectory: Trajectory) -> tuple[Observation, ...] | None:
    """What the attempt was right for: what was asked, when it succeeded; None when nobody knows."""
    if trajectory.feedback.success:
        return tuple(step.observation for step in trajectory.steps)
    return trajectory.feedback.achieved_goal


def _kept_share(trajectory: Trajectory) -> float:
    """How close the achieved goal is to the one that was asked for."""
    feedback = trajectory.feedback
    return 1.0 if feedback.success else feedback.achieved_share or 0.0
