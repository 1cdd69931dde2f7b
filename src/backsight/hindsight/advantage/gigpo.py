"""`gigpo` and `hgpo`: a step is compared with the steps at which siblings observed the same.

Place: the advantage.
Revealed: what came of other actions after the same observation.
Sources: GiGPO (arXiv:2505.10978), HGPO (arXiv:2602.22817).
Loss: that of the run's algorithm, with the advantages

    G_S = reward-to-go, discounted by γ
    GiGPO   A_S = A_episode + weight · (G - mean) / (std + 1e-6)         over the steps with the same observation
    HGPO    A_S = Σ_k w_k · A_k / Σ_k w_k,  w_k = (k + 1)^α,  k = 1 … K + 1
            A_k the same comparison, over the steps with the same last k observations; terms that are 0 are left out

S are the steps of a trajectory, and A_episode is the estimator's advantage; HGPO has none beside its own, as published.
γ is `discount`, K `history` and α `length_power`. A step that shares its observation with no other gets 0 by the
comparison, where GiGPO's code may leave it the raw return, which has no baseline. No model is called.

When not to use it: where no two attempts observe the same, as with transcripts that grow or with continuous
observations. GiGPO is the estimator alone then, and HGPO learns from first steps only. Set `scaled` as the estimator
does, or the two parts of GiGPO's sum have different units.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from backsight.estimators.advantages import discounted_returns
from backsight.hindsight.advantage.options import GiGPOOptions, HGPOOptions
from backsight.hindsight.advantage.same_state import EPSILON, relative_to_state, state_key
from backsight.hindsight.base import Hindsight, LookBack, Scorer, spread_over_decisions
from backsight.types import Group


class GiGPO(Hindsight[GiGPOOptions]):
    """Method that adds the advantage of a step among those with the same observation."""

    needs_scores = True

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        return LookBack([replace(group, advantages=self._advantages(group, scorer.discount)) for group in groups], [])

    def _advantages(self, group: Group, discount: float) -> tuple[Tensor, ...]:
        options = self.options
        relative = relative_to_state(_histories(group, 1), _returns(group, discount), options.scaled)
        return tuple(
            advantages_T + options.weight * spread_over_decisions(relative_S, trajectory)
            for advantages_T, relative_S, trajectory in zip(group.advantages, relative, group.trajectories, strict=True)
        )


class HGPO(Hindsight[HGPOOptions]):
    """Method that averages the advantages of a step among those with the same history, over lengths of history."""

    needs_scores = True

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        return LookBack([replace(group, advantages=self._advantages(group, scorer.discount)) for group in groups], [])

    def _advantages(self, group: Group, discount: float) -> tuple[Tensor, ...]:
        options = self.options
        returns = _returns(group, discount)
        lengths_K = range(1, options.history + 2)
        weights_K = torch.tensor([(length + 1) ** options.length_power for length in lengths_K])
        by_length = [relative_to_state(_histories(group, length), returns, options.scaled) for length in lengths_K]
        advantages = []
        for trajectory, *relative in zip(group.trajectories, *by_length, strict=True):
            relative_KS = torch.stack(relative)
            weights_KS = weights_K[:, None] * (relative_KS != 0)
            mean_S = (weights_KS * relative_KS).sum(0) / weights_KS.sum(0).clamp(min=EPSILON)
            advantages.append(spread_over_decisions(mean_S, trajectory))
        return tuple(advantages)


def _returns(group: Group, discount: float) -> list[Tensor]:
    return [discounted_returns(trajectory.rewards, discount) for trajectory in group.trajectories]


def _histories(group: Group, length: int) -> list[list[Hashable]]:
    """Return the last `length` observations at each step, (S,) for each trajectory.

    A step with fewer observations behind it gets a key like no other's.
    """
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
