"""The common base of `hca` and `cocoa`: credit from a hindsight model that is fitted as the run goes on.

The model judges the attempts of a step as it was before it learnt from them. Fitted on so few attempts, it would find
everything that they did likelier than it was, and would reinforce that. In the first step the model knows nothing, and
gives no credit.

N pieces of evidence, D features, A actions, S steps of a trajectory.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from backsight.errors import ConfigError
from backsight.hindsight.advantage.hindsight_model import HindsightModel, Rows
from backsight.hindsight.advantage.options import HindsightModelOptions
from backsight.hindsight.base import Hindsight, LookBack, Scorer, spread_over_decisions
from backsight.types import Group, Trajectory


@dataclass(frozen=True)
class Evidence:
    """Evidence for the credit of a trajectory: what was revealed after its steps."""

    features_ND: Tensor
    """The observation together with what was revealed later."""
    steps_N: Tensor
    """Number of the step that each piece is about."""
    times_N: Tensor
    """Number of times that each piece occurred, discounted like its worth: the model is fitted on what is credited."""
    worth_N: Tensor
    """Reward that each piece stands for, as seen from the step."""
    paid_S: Tensor
    """Credit that a step gets in any case."""


OptionsT = TypeVar("OptionsT", bound=HindsightModelOptions, covariant=True)


class FittedCredit(Hindsight[OptionsT]):
    """Method whose advantages come from a hindsight model; subclasses decide what the model is told."""

    needs_scores = True

    def __init__(self, options: OptionsT) -> None:
        super().__init__(options)
        self.model = HindsightModel(options.hidden_size, options.learning_rate, options.num_updates)
        self.earlier = self.model

    @abstractmethod
    def evidence(self, trajectory: Trajectory, observations_SD: Tensor, discount: float) -> Evidence:
        """Return what the model learns from, and what it is asked about."""

    def fit(self, groups: Sequence[Group], scorer: Scorer) -> None:
        """Fit the model, and keep a copy from before to judge the attempts of this step.

        Raises:
            ConfigError: when observations are not flat arrays, or an action is not one choice among several.
        """
        trajectories = [each for group in groups for each in group.trajectories]
        for trajectory in trajectories:
            self._check(trajectory)
        if trajectories:
            self.model.admit(max(int(_actions(each).max()) for each in trajectories))
            self.earlier = copy.deepcopy(self.model)
            rows, evidence = self._rows(trajectories, scorer)
            self.model.fit(rows, torch.cat([each.times_N for each in evidence]))

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        trajectories = [each for group in groups for each in group.trajectories]
        if not trajectories:
            return LookBack(groups, [])
        rows, evidence = self._rows(trajectories, scorer)
        credits = iter(torch.split(self.earlier.credit(rows), [len(each.steps_N) for each in evidence]))
        advantages = iter(
            [
                spread_over_decisions(own.paid_S.index_add(0, own.steps_N, next(credits) * own.worth_N), trajectory)
                for own, trajectory in zip(evidence, trajectories, strict=True)
            ]
        )
        changed = [replace(group, advantages=tuple(next(advantages) for _ in group.trajectories)) for group in groups]
        return LookBack(changed, [])

    def state(self) -> Mapping[str, Tensor]:
        return self.model.state()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.model.load_state(state)

    def _rows(self, trajectories: Sequence[Trajectory], scorer: Scorer) -> tuple[Rows, list[Evidence]]:
        observed = [torch.from_numpy(np.stack(each.prompts)).float() for each in trajectories]
        evidence = [self.evidence(*each, scorer.discount) for each in zip(trajectories, observed, strict=True)]
        priors = self._log_priors(trajectories, scorer)
        pairs = list(zip(trajectories, priors, evidence, strict=True))
        rows = Rows(
            torch.cat([own.features_ND for own in evidence]),
            torch.cat([_actions(trajectory)[own.steps_N] for trajectory, _, own in pairs]),
            torch.cat([log_prior_SA[own.steps_N] for _, log_prior_SA, own in pairs]),
        )
        return rows, evidence

    def _log_priors(self, trajectories: Sequence[Trajectory], scorer: Scorer) -> list[Tensor]:
        """Return the policy's log-probabilities of every action that was ever seen, (S, A) for each trajectory."""
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
            raise ConfigError("hindsight", self.options.name, remedy)


def _actions(trajectory: Trajectory) -> Tensor:
    """Return the actions of the steps, (S,)."""
    return torch.tensor([int(each.item()) for each in trajectory.responses])
