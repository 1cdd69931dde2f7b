"""`opd`: a token gets credit where a teacher that knows what came next finds it likelier than the policy did.

Place: the advantage.
Revealed: a hint, as a correction, a sibling's success, words about the attempt or its outcome (`hints.py`).
Source: OpenClaw-RL, hindsight-guided on-policy distillation (arXiv:2603.10165).
Loss: that of the run's algorithm, with the advantages A'

    A'_T = reward_weight · A_T + teacher_weight · clip(log π_T(a_T | s with hint) - log π_old(a_T | s), ± clip)

T are the tokens of an attempt, a_T what was sampled in the context s, A the estimator's advantages, π_T the teacher and
π_old the policy that sampled. There is one number for each sampled token: no distribution over the vocabulary is held.

Deviations from the source: its rewards are ±1 and not compared, here A is the estimator's; an attempt without a hint
keeps its reward term, where the source drops it; the log-ratio is clipped (the source does not), because a single token
that the teacher all but rules out would drown the others of the batch.

Two controls are options. `hint=other` tells the teacher what was revealed of another prompt, and `hint=absent` nothing.
`penalty` has no teacher: where one would have been told something, that number is taken off,

    A'_T = reward_weight · A_T - teacher_weight · penalty

which is said to do as well as the teacher (arXiv:2608.31046). While a teacher that knows no more than the policy is
tried, it pauses: set `teacher.check_steps=0` for all that are compared.

When not to use it: where the policy cannot make use of the hint: the teacher's opinion is noise then, and unlike in
`rlsd` it can turn the sign of the advantage. The teacher is by default a frozen copy of the policy; one that has fallen
far behind pulls the policy back, whatever the hint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from backsight.hindsight.advantage.options import OPDOptions
from backsight.hindsight.advantage.teacher_shift import Shifts, teacher_shifts
from backsight.hindsight.base import Hindsight, LookBack, Scorer
from backsight.hindsight.hints import Hints
from backsight.types import Group


class OPD(Hindsight[OPDOptions]):
    """Method that adds the teacher's log-ratio to the advantage."""

    def __init__(self, options: OPDOptions) -> None:
        super().__init__(options)
        self.hints = Hints(options.template, options.introduce, options.hint)

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        shifts = self._shifts(groups, scorer)
        if not shifts:
            return LookBack(groups, [])
        return LookBack([replace(group, advantages=self._advantages(group, shifts)) for group in groups], [])

    def _shifts(self, groups: Sequence[Group], scorer: Scorer) -> Shifts:
        """Return what is added to the advantages by the key of each attempt with a hint."""
        if (penalty := self.options.penalty) is None:
            return teacher_shifts(groups, scorer, self.hints)
        attempts = [(each, group) for group in groups for each in group.trajectories]
        told = self.hints.inform_all(attempts, scorer)
        return {each.key: torch.full((each.num_decisions,), -penalty) for each, _ in attempts if each.key in told}

    def _advantages(self, group: Group, shifts: Shifts) -> tuple[Tensor, ...]:
        pairs = zip(group.trajectories, group.advantages, strict=True)
        return tuple(self._add_shift(advantages_T, shifts.get(each.key)) for each, advantages_T in pairs)

    def _add_shift(self, advantages_T: Tensor, shift_T: Tensor | None) -> Tensor:
        rewarded_T = self.options.reward_weight * advantages_T
        if shift_T is None:
            return rewarded_T
        if (clip := self.options.clip) is not None and self.options.penalty is None:
            shift_T = shift_T.clamp(-clip, clip)
        return rewarded_T + self.options.teacher_weight * shift_T
