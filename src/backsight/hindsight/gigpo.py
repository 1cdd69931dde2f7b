"""`gigpo` and `hgpo`: a step is compared with the steps at which siblings observed the same.

Place: the advantage. Revealed: what came of other actions after the same observation.
Sources: GiGPO (arXiv:2505.10978), HGPO (arXiv:2602.22817).

    G_S = reward-to-go, discounted by γ
    GiGPO   A_S = A_episode + weight · (G - mean) / (std + 1e-6)         over the steps with the same observation
    HGPO    A_S = Σ_k w_k · A_k / Σ_k w_k,  w_k = (k + 1)^α,  k = 1 … K + 1
            A_k the same comparison, over the steps with the same last k observations; terms that are 0 are left out

A_episode is the estimator's advantage; HGPO has none beside its own, as published. A step that shares its observation
with no other gets 0 by the comparison, where GiGPO's code may leave it the raw return: that has no baseline. No model
is called.

When not to use it: where no two attempts observe the same, as with transcripts that grow or with continuous
observations. GiGPO is the estimator alone then, and HGPO learns from first steps only. Choose `scaled` as the estimator
is, or the two parts of GiGPO's sum have different units.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from backsight.estimators.returns import discounted_returns
from backsight.hindsight.base import Hindsight, Scorer, per_decision
from backsight.hindsight.same_state import EPSILON, compared, state_key
from backsight.types import Group


class GiGPO(Hindsight):
    """The episode's advantage, and the step's among those that observed the same."""

    def __init__(self, weight: float = 1.0, discount: float = 0.95, scaled: bool = True) -> None:
        self.weight, self.discount, self.scaled = weight, discount, scaled

    def revalue(self, groups: Sequence[Group], scorer: Scorer) -> Sequence[Group]:
        return [replace(group, advantages=self._advantages(group)) for group in groups]

    def _advantages(self, group: Group) -> tuple[Tensor, ...]:
        relative = compared(_histories(group, 1), _returns(group, self.discount), self.scaled)
        return tuple(
            advantages_T + self.weight * per_decision(relative_S, trajectory)
            for advantages_T, relative_S, trajectory in zip(group.advantages, relative, group.trajectories, strict=True)
        )


class HGPO(Hindsight):
    """The step's advantage among those of the same history, averaged over lengths of history."""

    def __init__(
        self, history: int = 2, length_power: float = 1.0, discount: float = 0.95, scaled: bool = True
    ) -> None:
        self.history, self.length_power = history, length_power
        self.discount, self.scaled = discount, scaled

    def revalue(self, groups: Sequence[Group], scorer: Scorer) -> Sequence[Group]:
        return [replace(group, advantages=self._advantages(group)) for group in groups]

    def _advantages(self, group: Group) -> tuple[Tensor, ...]:
        returns = _returns(group, self.discount)
        lengths_K = range(1, self.history + 2)
        weights_K = torch.tensor([(length + 1) ** self.length_power for length in lengths_K])
        by_length = [compared(_histories(group, length), returns, self.scaled) for length in lengths_K]
        advantages = []
        for trajectory, *relative in zip(group.trajectories, *by_length, strict=True):
            relative_KS = torch.stack(relative)
            weights_KS = weights_K[:, None] * (relative_KS.abs() > EPSILON)
            mean_S = (weights_KS * relative_KS).sum(0) / weights_KS.sum(0).clamp(min=EPSILON)
            advantages.append(per_decision(mean_S, trajectory))
        return tuple(advantages)


def _returns(group: Group, discount: float) -> list[Tensor]:
    return [discounted_returns(trajectory.rewards, discount) for trajectory in group.trajectories]


def _histories(group: Group, length: int) -> list[list[Hashable]]:
    """(S,) for each trajectory: its last `length` observations at each step; where there are fewer, like no other's."""
    histories: list[list[Hashable]] = []
    for number, trajectory in enumerate(group.trajectories):
        states = [state_key(observation) for observation in trajectory.prompts]
        histories.append(
            [
                tuple(states[place - length + 1 : place + 1]) if place + 1 >= length else (number, place)
                for place in range(len(states))
            ]
        )
    return histories
