"""`rlsd`: the reward says in which direction an advantage points, and a teacher that knows the answer says how far.

Place: the advantage, its magnitude only.
Revealed: the answer, as a correction or a sibling's success, else what was said of the attempt (`hints.py`).
Source: RLSD (arXiv:2604.03128).
Loss: that of the run's algorithm, with the advantages A'

    Δ_T  = log π_T(a_T | s with hint) - log π_old(a_T | s)
    A'_T = A_T · [(1 - λ) + λ · clip(exp(sign(A_T) · Δ_T), 1 ± clip)],   λ = share · max(0, 1 - step / share_steps)

T are the tokens of an attempt, a_T what was sampled in the context s, A the estimator's advantages, π_T the teacher and
π_old the policy that sampled.

A' has the sign of A, so that the teacher cannot mislead the policy, and nothing of the answer leaks into what is
imitated. A token of a success counts for more when the answer makes it likelier, a token of a failure when it makes it
less likely. An attempt of which nothing was revealed keeps its advantage. After `share_steps` the method is the
estimator alone and asks the teacher nothing.

When not to use it: where every attempt of a group gets the same reward: A is 0, and stays 0. With a frozen teacher Δ
also holds how far the policy has moved by itself; the clip bounds that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from backsight.hindsight.advantage.options import RLSDOptions
from backsight.hindsight.advantage.teacher_shift import Shifts, teacher_shifts
from backsight.hindsight.base import Hindsight, LookBack, Scorer
from backsight.hindsight.hints import Hints
from backsight.types import Group


class RLSD(Hindsight[RLSDOptions]):
    """Method that stretches or shrinks the advantage token by token."""

    def __init__(self, options: RLSDOptions) -> None:
        super().__init__(options)
        self.hints = Hints(options.template, options.introduce, options.hint)
        self.num_steps = 0

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        share = self.options.share * max(0.0, 1 - self.num_steps / self.options.share_steps)
        self.num_steps += 1
        if share == 0:
            return LookBack(groups, [])
        shifts = teacher_shifts(groups, scorer, self.hints)
        return LookBack([replace(group, advantages=self._advantages(group, shifts, share)) for group in groups], [])

    def _advantages(self, group: Group, shifts: Shifts, share: float) -> tuple[Tensor, ...]:
        pairs = zip(group.trajectories, group.advantages, strict=True)
        return tuple(self._stretch(advantages_T, shifts.get(each.key), share) for each, advantages_T in pairs)

    def _stretch(self, advantages_T: Tensor, shift_T: Tensor | None, share: float) -> Tensor:
        if shift_T is None:
            return advantages_T
        clip = self.options.clip
        factor_T = (advantages_T.sign() * shift_T).exp().clamp(1 - clip, 1 + clip)
        return advantages_T * (1 - share + share * factor_T)

    def state(self) -> Mapping[str, Tensor]:
        return {"steps": torch.tensor(self.num_steps)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.num_steps = int(state["steps"])
