"""`vine`: the value of an unfinished answer is the mean reward of finishing it afresh several times.

Place: the advantage.
Revealed: what the policy makes of each prefix of its own answer.
Source: VinePPO (arXiv:2410.01679); the cut into segments as in SPO (arXiv:2505.23564), here of equal length.
Loss: that of the run's algorithm, with the advantages A

    V(prefix) = (1/K) Σ_k R(prefix + continuation k),   V(whole answer) = R
    A of the tokens between two cuts = V(after) - V(before)

R is the reward of an answer, V the value of a prefix, and K the number of continuations (`num_samples`). The values
telescope: the advantages of an answer's segments sum to R - V(prompt). They replace the estimator's. Siblings share the
value of prefixes they have in common, the prompt's first of all. All continuations of a step are sampled in one call
and judged in one. C cuts of an answer, its end included.

When not to use it: where sampling or judging is dear: it takes K · tokens / segment_length continuations for every
attempt. It is for single-turn completions of language models only; for steps of an episode use `graph_hca` or `gigpo`.
In a group where everything fails, continuations included, all advantages are 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from backsight.errors import ConfigError
from backsight.hindsight.advantage.options import VineOptions
from backsight.hindsight.base import Hindsight, LookBack, Scorer
from backsight.rounding import difference
from backsight.types import Action, Group, Observation, PartialCompletion, Step, Trajectory

Prefix = tuple[int, tuple[int, ...]]
"""Number of the group, and the tokens of the completion so far."""


class Vine(Hindsight[VineOptions]):
    """Method that takes differences of Monte Carlo values of the prefixes as advantages."""

    needs_scores = True

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        """Return the groups with the new advantages.

        Raises:
            ConfigError: when an episode has several steps, or is made of numbers.
        """
        _check(groups)
        values = self._values(groups, scorer)
        changed = [
            replace(group, advantages=tuple(self._advantages(each, values, number) for each in group.trajectories))
            for number, group in enumerate(groups)
        ]
        return LookBack(changed, [])

    def _prefixes(self, trajectory: Trajectory) -> list[tuple[int, ...]]:
        tokens = trajectory.steps[0].action.value
        return [tokens[:cut] for cut in range(0, len(tokens), self.options.segment_length)]

    def _advantages(self, trajectory: Trajectory, values: dict[Prefix, float], number: int) -> Tensor:
        prefixes = self._prefixes(trajectory)
        cuts = [*map(len, prefixes), trajectory.num_decisions]
        known = [*(values[number, prefix] for prefix in prefixes), trajectory.total_reward]
        changes_C = torch.tensor([difference(after, before) for before, after in pairwise(known)])
        # a value is unknown where nobody scored any continuation: those tokens have no advantage
        return changes_C.nan_to_num(0.0).repeat_interleave(torch.tensor(cuts).diff())

    def _values(self, groups: Sequence[Group], scorer: Scorer) -> dict[Prefix, float]:
        roots = {
            (number, prefix): (group, each.steps[0].observation)
            for number, group in enumerate(groups)
            for each in group.trajectories
            for prefix in self._prefixes(each)
        }
        if not roots:
            return {}
        asked = [(prefix, *root) for (_, prefix), root in roots.items() for _ in range(self.options.num_samples)]
        actions = scorer.sample([_begun(prompt, prefix) for prefix, _, prompt in asked])
        finished = [_finish(*place, action) for place, action in zip(asked, actions, strict=True)]
        judged = scorer.judge(finished)
        told = [each.total_reward if each.is_scored else math.nan for each in judged]
        rewards = torch.tensor(told, dtype=torch.float64)
        return dict(zip(roots, rewards.view(-1, self.options.num_samples).nanmean(1).tolist(), strict=True))


def _begun(prompt: Observation, prefix: tuple[int, ...]) -> Observation:
    if not prefix:
        return prompt
    if isinstance(prompt, PartialCompletion):
        return PartialCompletion(prompt.prompt, prompt.tokens + prefix)
    return PartialCompletion(prompt, prefix)


def _finish(prefix: tuple[int, ...], group: Group, prompt: Observation, rest: Action) -> Trajectory:
    """Return the attempt that the continuation makes of the prefix, for the judge."""
    tokens = prefix + rest.value
    action = Action(tokens, torch.zeros(len(tokens)), rest.text, rest.is_truncated)
    step = Step(prompt, action, terminated=not rest.is_truncated, truncated=rest.is_truncated)
    return Trajectory(group.start, (step,))


def _check(groups: Sequence[Group]) -> None:
    for group in groups:
        for trajectory in group.trajectories:
            if len(trajectory.steps) != 1 or not isinstance(trajectory.steps[0].action.value, tuple):
                remedy = "continues single-turn completions of language models; use graph_hca or gigpo for episodes"
                raise ConfigError("hindsight", "vine", remedy)
