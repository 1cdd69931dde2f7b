"""Credit from a hindsight model that is fitted as the run goes on: what `hca` and `cocoa` share.

The attempts of a step are judged by the model as it was before it learnt from them: fitted on so few it finds whatever
they did likelier than it was, and would reinforce that. In the first step it knows nothing, and gives no credit.

N pieces of evidence, D features, A actions, S steps of a trajectory.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from backsight.errors import ConfigError
from backsight.hindsight.base import Hindsight, Scorer, per_decision
from backsight.hindsight.hindsight_model import HindsightModel, Rows
from backsight.types import Group, Trajectory


@dataclass(frozen=True)
class Evidence:
    """What was revealed after the steps of a trajectory."""

    features_ND: Tensor
    """The observation, and what was revealed later."""
    steps_N: Tensor
    """The step that each piece is about."""
    times_N: Tensor
    """How often it occurred."""
    worth_N: Tensor
    """The reward it stands for, as seen from the step."""
    paid_S: Tensor
    """What a step is credited with in any case."""


class FittedCredit(Hindsight):
    """A method whose advantages come from a hindsight model; what the model is told is up to the method."""

    def __init__(self, name: str, hidden_size: int, learning_rate: float, num_updates: int) -> None:
        self.name = name
        self.model = HindsightModel(hidden_size, learning_rate, num_updates)
        self.judge = self.model

    @abstractmethod
    def evidence(self, trajectory: Trajectory, observations_SD: Tensor) -> Evidence:
        """All that the model learns from, and is asked about."""

    def fit(self, groups: Sequence[Group], scorer: Scorer) -> None:
        """Raises `ConfigError` when observations are not flat arrays, or an action is not one choice among several."""
        trajectories = [each for group in groups for each in group.trajectories]
        for trajectory in trajectories:
            self._check(trajectory)
        if trajectories:
            self.model.admit(max(int(_actions(each).max()) for each in trajectories))
            self.judge = copy.deepcopy(self.model)
            rows, evidence = self._rows(trajectories, scorer)
            self.model.fit(rows, torch.cat([each.times_N for each in evidence]))

    def revalue(self, groups: Sequence[Group], scorer: Scorer) -> Sequence[Group]:
        trajectories = [each for group in groups for each in group.trajectories]
        if not trajectories:
            return groups
        rows, evidence = self._rows(trajectories, scorer)
        credits = iter(torch.split(self.judge.credit(rows), [len(each.steps_N) for each in evidence]))
        advantages = iter(
            [
                per_decision(own.paid_S.index_add(0, own.steps_N, next(credits) * own.worth_N), trajectory)
                for own, trajectory in zip(evidence, trajectories, strict=True)
            ]
        )
        return [replace(group, advantages=tuple(next(advantages) for _ in group.trajectories)) for group in groups]

    def state(self) -> Mapping[str, Tensor]:
        return self.model.state()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.model.load_state(state)

    def _rows(self, trajectories: Sequence[Trajectory], scorer: Scorer) -> tuple[Rows, list[Evidence]]:
        evidence = [self.evidence(each, torch.from_numpy(np.stack(each.prompts)).float()) for each in trajectories]
        priors = self._log_priors(trajectories, scorer)
        pairs = list(zip(trajectories, priors, evidence, strict=True))
        rows = Rows(
            torch.cat([own.features_ND for own in evidence]),
            torch.cat([_actions(trajectory)[own.steps_N] for trajectory, _, own in pairs]),
            torch.cat([log_prior_SA[own.steps_N] for _, log_prior_SA, own in pairs]),
        )
        return rows, evidence

    def _log_priors(self, trajectories: Sequence[Trajectory], scorer: Scorer) -> list[Tensor]:
        """(S, A) each: what the policy gives to every action that was ever seen."""
        actions = range(self.model.num_actions)
        asked = [
            (each.prompts, tuple(np.full_like(own, action) for own in each.responses))
            for each in trajectories
            for action in actions
        ]
        answers = iter(scorer.log_probs(asked))
        return [torch.stack([next(answers) for _ in actions], 1) for _ in trajectories]

    def _check(self, trajectory: Trajectory) -> None:
        actions = [np.asarray(each) for each in trajectory.responses]
        is_flat = all(isinstance(each, np.ndarray) and each.ndim == 1 for each in trajectory.prompts)
        if not is_flat or any(each.size != 1 or each.dtype.kind not in "iu" for each in actions):
            remedy = (
                "needs flat observations and one Discrete action a step; use hcapo or graph_hca for language models"
            )
            raise ConfigError("hindsight", self.name, remedy)


def _actions(trajectory: Trajectory) -> Tensor:
    """(S,)"""
    return torch.tensor([int(each.item()) for each in trajectory.responses])
