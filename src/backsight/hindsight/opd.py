"""`opd`: a token gets credit where one who knows what came next finds it likelier than the policy did.

Place: the advantage. Revealed: a hint, as a correction, a sibling's success, words about the attempt or its outcome
(`hints.py`). Source: OpenClaw-RL, hindsight-guided on-policy distillation (arXiv:2603.10165).

    A'_T = reward_weight · A_T + teacher_weight · clip(log π_T(a_T | s with hint) - log π_old(a_T | s), ± clip)

One number for the sampled token: no distribution over the vocabulary is held. Deviations from the source: its rewards
are ±1 and not compared, here A is the estimator's; an attempt without a hint keeps its reward term, where the source
drops it; the log-ratio is clipped (the source does not), because a single token that the teacher all but rules out
would drown the others of the batch.

When not to use it: where the policy cannot make use of the hint: the teacher's opinion is noise then, and unlike in
`rlsd` it can turn the sign of the advantage. The teacher is a frozen or averaged copy; one that has fallen far behind
pulls the policy back, whatever the hint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from backsight.hindsight.base import Hindsight, Scorer
from backsight.hindsight.hints import TEMPLATE, Hints
from backsight.hindsight.informed import teacher_shifts
from backsight.types import Group


class OPD(Hindsight):
    """The advantage, plus the teacher's log-ratio."""

    needs_teacher = True

    def __init__(
        self,
        reward_weight: float = 1.0,
        teacher_weight: float = 1.0,
        clip: float | None = 5.0,
        template: str = TEMPLATE,
        introduce: bool = True,
    ) -> None:
        self.reward_weight, self.teacher_weight, self.clip = reward_weight, teacher_weight, clip
        self.hints = Hints(template, introduce)

    def revalue(self, groups: Sequence[Group], scorer: Scorer) -> Sequence[Group]:
        shifts = teacher_shifts(groups, scorer, self.hints)
        return [
            replace(group, advantages=tuple(map(self._advantages, group.advantages, own)))
            for group, own in zip(groups, shifts, strict=True)
        ]

    def _advantages(self, advantages_T: Tensor, shift_T: Tensor | None) -> Tensor:
        rewarded_T = self.reward_weight * advantages_T
        if shift_T is None:
            return rewarded_T
        if self.clip is not None:
            shift_T = shift_T.clamp(-self.clip, self.clip)
        return rewarded_T + self.teacher_weight * shift_T
