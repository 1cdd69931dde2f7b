"""`rlsd`: the reward says in which direction, a teacher that knows the answer says how far.

Place: the advantage, its magnitude only. Revealed: the answer, as a correction or a sibling's success, else what was
said of the attempt (`hints.py`). Source: RLSD (arXiv:2604.03128).

    Δ_T  = log π_T(a_T | s with hint) - log π_old(a_T | s)
    A'_T = A_T · [(1 - λ) + λ · clip(exp(sign(A_T) · Δ_T), 1 ± clip)],   λ = share · max(0, 1 - step / share_steps)

A' has the sign of A, so that the teacher can lead nobody astray, and nothing of the answer leaks into what is imitated.
A token of a success counts for more when the answer makes it likelier, a token of a failure when it makes it less
likely. An attempt of which nothing was revealed keeps its advantage. After `share_steps` the method is the estimator
alone and asks the teacher nothing.

When not to use it: where every attempt of a group gets the same reward: A is 0, and stays 0. With a frozen teacher Δ
also holds how far the policy has moved by itself; the clip bounds that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from backsight.hindsight.base import Hindsight, Scorer
from backsight.hindsight.hints import TEMPLATE, Hints
from backsight.hindsight.informed import teacher_shifts
from backsight.types import Group


class RLSD(Hindsight):
    """The advantage, stretched or shrunk token by token."""

    needs_teacher = True

    def __init__(
        self,
        share: float = 0.5,
        share_steps: int = 50,
        clip: float = 0.2,
        template: str = TEMPLATE,
        introduce: bool = True,
    ) -> None:
        self.share, self.share_steps, self.clip = share, share_steps, clip
        self.hints = Hints(template, introduce)
        self.share_now = share
        self._steps = 0

    def fit(self, groups: Sequence[Group], scorer: Scorer) -> None:
        """Count the step."""
        self.share_now = self.share * max(0.0, 1 - self._steps / self.share_steps)
        self._steps += 1

    def revalue(self, groups: Sequence[Group], scorer: Scorer) -> Sequence[Group]:
        if self.share_now == 0:
            return groups
        shifts = teacher_shifts(groups, scorer, self.hints)
        return [
            replace(group, advantages=tuple(map(self._advantages, group.advantages, own)))
            for group, own in zip(groups, shifts, strict=True)
        ]

    def _advantages(self, advantages_T: Tensor, shift_T: Tensor | None) -> Tensor:
        if shift_T is None:
            return advantages_T
        factor_T = (advantages_T.sign() * shift_T).exp().clamp(1 - self.clip, 1 + self.clip)
        return advantages_T * (1 - self.share_now + self.share_now * factor_T)

    def state(self) -> Mapping[str, Tensor]:
        return {"steps": torch.tensor(self._steps)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._steps = int(state["steps"])
