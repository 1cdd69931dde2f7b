"""`graph_hca`: credit is how much nearer to the goal an action led, in the graph of all that the siblings did.

Place: the advantage.
Revealed: the other attempts that came through the same states, and which of them succeeded.
Source: GraphHCA (arXiv:2609.35084).
Loss: that of the run's algorithm, with the advantages

    V(goal) = 1,  V(failure) = 0,  V(s) = γ · mean of V(s') over the steps s → s' that were taken
    c(s → s') = log max(V(s'), floor) - log max(V(s), floor)
    A_S = (c - mean) / (std + 1e-6)  over all steps that leave s      + episode_weight · the estimator's advantage

V(s) is the value of the state s, γ the run's `discount`, c the credit of a step, and S are the steps of an attempt.
The last step of an attempt leads to the goal or to failure. States are the same when their observations are. The source
leaves open how V is worked out from the graph: here it is the value under the behaviour that was seen, which is what a
policy gradient asks for. No model is called.

`change="value"` takes V(s') - V(s) instead of the logarithms. Where an action may lead nowhere (against a wall) and
another one into failure, the logarithm of the failure pulls the mean so far down that to stand still looks better than
most: the source's form then teaches to wait for the end (docs/log.md). With V itself the mean is not pulled down like
this.

When not to use it: where no two attempts observe the same, as with transcripts that grow or with continuous
observations: only the first step gets credit then, unless `episode_weight` is above 0. Observations that hide part of
the state make different states one.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from backsight.hindsight.advantage.options import GraphHCAOptions
from backsight.hindsight.advantage.same_state import relative_to_state, state_key
from backsight.hindsight.base import Hindsight, LookBack, Scorer, spread_over_decisions
from backsight.types import Group

TOLERANCE = 1e-9
"""Largest change of a value that counts as settled."""

Path = list[Hashable]
"""The states of an attempt, followed by whether it succeeded."""


class GraphHCA(Hindsight[GraphHCAOptions]):
    """Method that compares the change of value among the steps that leave the same state."""

    needs_scores = True

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        return LookBack([replace(group, advantages=self._advantages(group, scorer.discount)) for group in groups], [])

    def _advantages(self, group: Group, discount: float) -> tuple[Tensor, ...]:
        # an observation's key is never a bool: True is the goal, False the failure
        paths: list[Path] = [[*map(state_key, each.prompts), each.succeeded] for each in group.trajectories]
        values = state_values(paths, discount)
        changes = []
        for path in paths:
            known = torch.tensor([values[state] for state in path])
            if self.options.change == "log":
                known = known.clamp(min=self.options.floor).log()
            changes.append(known[1:] - known[:-1])
        relative = relative_to_state([path[:-1] for path in paths], changes, scaled=True)
        return tuple(
            spread_over_decisions(credit_S, trajectory) + self.options.episode_weight * advantages_T
            for credit_S, trajectory, advantages_T in zip(relative, group.trajectories, group.advantages, strict=True)
        )


def state_values(paths: Sequence[Path], discount: float) -> dict[Hashable, float]:
    """Calculate the value of every state: the discounted fixed point of the mean over the steps taken.

    E steps, K states.
    """
    states: dict[Hashable, int] = {}
    for path in paths:
        for state in path:
            states.setdefault(state, len(states))
    from_E = torch.tensor([states[state] for path in paths for state in path[:-1]], dtype=torch.long)
    to_E = torch.tensor([states[state] for path in paths for state in path[1:]], dtype=torch.long)
    counts_K = torch.bincount(from_E, minlength=len(states)).clamp(min=1)
    goal_K = torch.tensor([float(state is True) for state in states], dtype=torch.float64)
    values_K, change = goal_K, 1.0
    while change > TOLERANCE:  # every round multiplies the error by γ at most
        sums_K = torch.zeros_like(goal_K).index_add(0, from_E, values_K[to_E])
        new_K = goal_K + discount * sums_K / counts_K
        change = float((new_K - values_K).abs().max()) if states else 0.0
        values_K = new_K
    return dict(zip(states, values_K.tolist(), strict=True))
