"""`hcapo`: the policy scores its own steps again, knowing how the episode ended.

Place: the advantage of a step.
Revealed: the final state: what came of it in words, else what was last observed and said.
Source: HCAPO (arXiv:2603.08754).
Loss: that of the run's algorithm, with the advantages A'

    h_S = exp( mean over the tokens of step S of log π(y | s_S with the final state) / temperature )
    ρ_S = clip(h_S / mean of h over the trajectory, 1 ± clip)
    Q_S = ρ_S · γ^(steps after S) · R         smoothing: Q_S ← (Q_S + Q_{S+1}) / 2
    A'_S = A_S + weight · (Q_S - mean) / std  over all steps of the group; in a success not below 0 ("do no harm")

s_S is the observation and y the response of step S, R the sum of the trajectory's rewards, A the estimator's advantage,
Q_S the value of the step, and γ the run's `discount`. ρ is not the h/π of hindsight credit assignment: the mean over
the trajectory stands for the prior, a heuristic. It costs one pass of the policy over each attempt; where the final
state does not fit into the context, ρ is 1.

When not to use it: for single-turn completions: ρ is 1, and the second term repeats the first; or where no success is
seen at all: Q is 0 throughout. γ < 1 makes late steps of a success look better than early ones, and those of a short
episode better than those of a long one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

import torch
from torch import Tensor

from backsight.errors import ConfigError
from backsight.estimators.advantages import are_equal
from backsight.hindsight.advantage.options import HCAPOOptions
from backsight.hindsight.base import Exchange, Hindsight, LookBack, Scorer, spread_over_decisions
from backsight.hindsight.hints import Hints, are_words
from backsight.types import Group, Trajectory

INTRODUCTION = "How it ended: "
"""Words before the final state."""
SMALLEST_DEVIATION = 1e-6
"""Least standard deviation by which values are divided, in case that all are equal."""


class HCAPO(Hindsight[HCAPOOptions]):
    """Method that adds to the episode's advantage the share of each step in how it ended."""

    needs_scores = True

    def __init__(self, options: HCAPOOptions) -> None:
        super().__init__(options)
        self.hints = Hints(options.template)

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        """Return the groups with the new advantages.

        Raises:
            ConfigError: when an observation is not text.
        """
        told = [self._inform(each) for group in groups for each in group.trajectories]
        fits = [scorer.fits(prompts) for prompts, _ in told]
        answers = iter(scorer.log_probs(list(compress(told, fits))) if any(fits) else [])
        log_probs = iter([next(answers) if is_fit else None for is_fit in fits])
        changed = [
            replace(
                group,
                advantages=self._advantages(group, [next(log_probs) for _ in group.trajectories], scorer.discount),
            )
            for group in groups
        ]
        return LookBack(changed, [])

    def _inform(self, trajectory: Trajectory) -> Exchange:
        if not are_words(trajectory.prompts):
            remedy = "needs observations in text or chat messages; use hca, cocoa or graph_hca"
            raise ConfigError("hindsight", "hcapo", remedy)
        ending = INTRODUCTION + _final_state(trajectory)
        return tuple(self.hints.with_text(prompt, ending) for prompt in trajectory.prompts), trajectory.responses

    def _advantages(self, group: Group, log_probs: Sequence[Tensor | None], discount: float) -> tuple[Tensor, ...]:
        if not group.trajectories:
            return ()
        values = [self._values(*each, discount) for each in zip(group.trajectories, log_probs, strict=True)]
        values_N = torch.cat(values)
        if are_equal(values_N):
            return group.advantages
        deviation = values_N.std(correction=0).clamp(min=SMALLEST_DEVIATION)
        advantages = []
        for trajectory, values_S, advantages_T in zip(group.trajectories, values, group.advantages, strict=True):
            credit_S = (values_S - values_N.mean()) / deviation
            if trajectory.succeeded:
                credit_S = credit_S.clamp(min=0)
            advantages.append(advantages_T + self.options.weight * spread_over_decisions(credit_S, trajectory))
        return tuple(advantages)

    def _values(self, trajectory: Trajectory, log_probs_T: Tensor | None, discount: float) -> Tensor:
        """Return the values Q, (S,): the reward times how likely each step is in the light of the end."""
        lengths = [len(step.action.log_probs) for step in trajectory.steps]
        if log_probs_T is None:
            log_probs_T = torch.zeros(sum(lengths))
        mean_S = torch.stack([each.mean() for each in torch.split(log_probs_T, lengths)])
        likelihood_S = (mean_S.double() / self.options.temperature).exp()
        clip = self.options.clip
        ratio_S = (likelihood_S / likelihood_S.mean()).clamp(1 - clip, 1 + clip)
        steps_left_S = torch.arange(len(lengths) - 1, -1, -1)
        values_S = ratio_S * discount**steps_left_S * trajectory.total_reward
        if self.options.smoothing:
            values_S = torch.cat([(values_S[:-1] + values_S[1:]) / 2, values_S[-1:]])
        return values_S


def _final_state(trajectory: Trajectory) -> str:
    if trajectory.feedback.outcome:
        return trajectory.feedback.outcome
    last = trajectory.steps[-1]
    seen = last.observation if isinstance(last.observation, str) else last.observation[-1]["content"]
    return f"{seen}\n{last.action.text or ''}".strip()
