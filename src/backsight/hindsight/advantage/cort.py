"""`cort`: a token counts for more where the criteria, put into words, make it likelier.

Place: the advantage, its magnitude only.
Revealed: the criteria that the answer is judged by, from a column of the data (`rubric`), else what was said of the
attempt in words.
Source: CoRT (arXiv:2607.25659).
Loss: that of the run's algorithm, with the advantages A'

    Δ_T  = log π(a_T | s with the criteria) - log π_old(a_T | s)
    w_T  = exp(clip(Δ_T, ± clip)) / mean over the attempt
    A'_T = A_T · [(1 - λ) + λ · w_T],   λ = min(1, step / ramp_steps)

T are the tokens of an attempt, a_T what was sampled in the context s, A the estimator's advantages, π the policy and
π_old the policy that sampled. The weights are positive and have the mean 1 over an attempt: the sign stays that of the
reward, and an attempt counts as much as before. In the first step λ is 0, and nothing is asked.

The policy scores itself, so that no teacher is kept. It costs one pass over each attempt with an advantage. The source
multiplies the advantage with a function of Δ that is bounded, has the mean 1 and is ramped in; we have read it in words
alone, and took the simplest one. `clip` and `ramp_steps` are ours.

When not to use it: without criteria in words that can be checked; where every attempt of a group gets the same reward:
A is 0, and stays 0; or with answers of a single token. Criteria that the prompt spells out already change little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from backsight.errors import ConfigError, nearest
from backsight.hindsight.advantage.options import CoRTOptions
from backsight.hindsight.advantage.token_sizes import check_words, mean_one, multiply, shifts_by_words
from backsight.hindsight.base import Hindsight, LookBack, Scorer
from backsight.hindsight.hints import Hints
from backsight.types import Group, Trajectory

INTRODUCTION = "What the answer is judged by: "
"""Words before the criteria."""


class CoRT(Hindsight[CoRTOptions]):
    """Method that gives weight to the tokens that the criteria ask for."""

    def __init__(self, options: CoRTOptions) -> None:
        super().__init__(options)
        self.hints = Hints(options.template)
        self.num_steps = 0

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        """Return the groups with the new advantages.

        Raises:
            ConfigError: when an observation is not text, or an item has no such column as `rubric` names.
        """
        check_words(groups, "cort", "use gigpo or graph_hca")
        if (name := self.options.rubric) is not None:
            _check_column(name, groups)
        share = min(1.0, self.num_steps / self.options.ramp_steps)
        self.num_steps += 1
        if share == 0:
            return LookBack(groups, [])
        shifts = shifts_by_words(groups, scorer, self.hints, self._words)
        return LookBack(multiply(groups, {key: self._weights(own, share) for key, (own,) in shifts.items()}), [])

    def _words(self, attempt: Trajectory, group: Group) -> list[str]:
        """Return the criteria as the one text that the policy is told; none when nobody knows them."""
        criteria = self._criteria(attempt, group)
        return [INTRODUCTION + criteria] if criteria else []

    def _criteria(self, attempt: Trajectory, group: Group) -> str | None:
        name = self.options.rubric
        if name is None:
            return (attempt.feedback.text or "").strip() or None
        value = group.start.columns[name]
        several = value if isinstance(value, list | tuple) else [value]
        return "\n".join(str(each).strip() for each in several if each is not None) or None

    def _weights(self, shift_T: Tensor, share: float) -> Tensor:
        clip = self.options.clip
        return 1 - share + share * mean_one(shift_T.clamp(-clip, clip).exp())

    def state(self) -> Mapping[str, Tensor]:
        return {"steps": torch.tensor(self.num_steps)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.num_steps = int(state["steps"])


def _check_column(name: str, groups: Sequence[Group]) -> None:
    for group in groups:
        columns = getattr(group.start, "columns", {})
        if name not in columns:
            raise ConfigError("hindsight.rubric", name, f"an item has no such column; {nearest(name, columns)}")
