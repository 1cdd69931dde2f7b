"""`self_distill`: the policy learns from itself, told what was revealed afterwards.

Place: the target. Revealed: a correction, a sibling's success, words about the attempt, or its outcome (`hints.py`).
Sources: SDPO (Hübotter 2026, arXiv:2601.20802), OPSD (Zhao 2026, arXiv:2601.18734), SDFT (arXiv:2601.19897).

    L = Σ_t λ_t · w_t · D_α( π(·|x, y_<t), π_T(·|x with hint, y_<t) ),    w_t = min(π(y_t)/behaviour(y_t), cap)

over the tokens y_t that the policy itself sampled; λ (T,) are the teacher weights. The teacher's weights, α, the number
of actions that are compared and the trials that it has to pass are settings of the run (`teacher.*`).

Defaults that are not the papers': an averaged teacher with forward KL (α = 0) over its own likeliest actions. With a
student that gives the teacher's choice little mass the gradients of reverse KL and Jensen-Shannon vanish; measured on
a secret answer, forward KL reached 1.00 where they reached 0.39 and 0.08 (docs/methods.md). SDPO is
`teacher.alpha=0.5`; OPSD `teacher.update=frozen teacher.alpha=0.5`; SDFT `teacher.alpha=1`.

`where` says which tokens are taught: all, or those of failed attempts, or those the teacher finds less likely than the
policy did (a mask as in HINT-SD, arXiv:2605.17873, without its judge). A lone success has no sibling to learn from;
with `outcome_weight` above 0, or behind a route, it is reinforced instead.

When not to use it: where the policy cannot make use of the hint (small models without a warm-up: the trials show it),
or where what is revealed will never be found by reasoning alone: the teacher's certainty is imitated too (-40 % out of
domain in arXiv:2603.24472).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from backsight.hindsight.base import Hindsight, Scorer, behaviour_log_probs
from backsight.hindsight.composition import succeeded
from backsight.hindsight.hints import TEMPLATE, Hints
from backsight.types import Example, Group, Observation, Trajectory

Where = Literal["everywhere", "failures", "less_likely"]


class SelfDistill(Hindsight):
    """Rows without advantage, whose target is the teacher's distribution."""

    needs_teacher = True

    def __init__(
        self,
        outcome_weight: float = 0.0,
        distill_weight: float = 1.0,
        where: Where = "everywhere",
        template: str = TEMPLATE,
        introduce: bool = True,
    ) -> None:
        self.outcome_weight, self.distill_weight, self.where = outcome_weight, distill_weight, where
        self.hints = Hints(template, introduce)

    def examples(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        told = [
            (each, prompts)
            for group in groups
            for each in group.trajectories
            if not (self.where == "failures" and succeeded(each))
            and (prompts := self.hints.informed(each, group)) is not None
            and scorer.fits(prompts)
        ]
        return [
            Example(
                prompts=each.prompts,
                responses=each.responses,
                method="self_distill",
                behaviour_log_probs=behaviour_log_probs(each),
                teacher_prompts=prompts,
                teacher_weights=weights_T,
                weight=self.distill_weight,
                trajectory=each,
            )
            for (each, prompts), weights_T in zip(told, self._weights(told, scorer), strict=True)
        ]

    def _weights(self, told: Sequence[tuple[Trajectory, tuple[Observation, ...]]], scorer: Scorer) -> list[Tensor]:
        """(T,) each: 1 where the teacher is listened to."""
        if self.where != "less_likely":
            return [torch.ones(each.num_decisions) for each, _ in told]
        believed = scorer.teacher_log_probs([(prompts, each.responses) for each, prompts in told])
        sampled = [behaviour_log_probs(each) for each, _ in told]
        return [(teacher_T < own_T).float() for teacher_T, own_T in zip(believed, sampled, strict=True)]
