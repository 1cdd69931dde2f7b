"""`self_distill`: the policy learns from itself, as it would answer if it knew what was revealed afterwards.

Place: the target.
Revealed: a correction, a sibling's success, words about the attempt, or its outcome (`hints.py`).
Sources: SDPO (Hübotter 2026, arXiv:2601.20802), OPSD (Zhao 2026, arXiv:2601.18734), SDFT (arXiv:2601.19897).
Loss:

    L = Σ_t λ_t · w_t · D_α( π(·|x, y_<t), π_T(·|x with hint, y_<t) ),    w_t = min(π(y_t)/behaviour(y_t), cap)

over the T tokens y_t that the policy itself sampled at the prompt x. π_T is the teacher, λ (T,) says how much it counts
at each token, w_t corrects for the behaviour policy that sampled, and D_α is a divergence. These are settings of the
run: the teacher's own weights (`teacher.update`), α (`teacher.alpha`), the number of actions that are compared
(`teacher.top_k`), the trials that the teacher has to pass (`teacher.check_steps`), and the cap (`importance_cap`).

By default the teacher is frozen (`teacher.update=frozen`): it keeps the weights of the start. The divergence is forward
KL (`teacher.alpha=0`) over the teacher's own likeliest actions. These defaults are not the papers'. With a student that
gives the teacher's choice little mass the gradients of reverse KL and Jensen-Shannon vanish; measured on a secret
answer, forward KL reached 1.00 and reverse KL 0.94 from as many attempts (docs/results.md). SDPO's own recipe sets
`teacher.update=ema` and `teacher.alpha=0.5`; OPSD's sets `teacher.update=frozen` and `teacher.alpha=0.5`; SDFT's sets
`teacher.update=ema` and `teacher.alpha=1`. `teacher.share` (β-OPSD, arXiv:2607.28582) and `teacher.sequence_gradient`
(DistIL, arXiv:2606.05152) change the target and its gradient; docs/methods.md says how.

`where` says which tokens are taught: all, or those of failed attempts, or those that the teacher finds less likely than
the policy did (a mask as in HINT-SD, arXiv:2605.17873, without its judge). A lone success has no sibling to learn from;
with `outcome_weight` above 0, or behind a route, it is reinforced instead.

While the teacher is no better than the policy (see `teacher.check_steps`), the method is `outcome`: what was sampled is
reinforced.

Two controls tell whether it is what was revealed that teaches: `hint=other` gives the teacher the hint of another
prompt of the step (said to teach about as well, arXiv:2608.09228), `hint=absent` none (arXiv:2609.20612). Both teach
the attempts that have a hint of their own. They fail the teacher's trials, so compare with `teacher.check_steps=0`.

When not to use it: where the policy cannot make use of the hint (small models without a warm-up: the trials show it),
or where what is revealed will never be found by reasoning alone: the teacher's certainty is imitated too (-40 % out of
domain in arXiv:2603.24472).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from backsight.hindsight.base import Hindsight, LookBack, Scorer, Told, taught_row
from backsight.hindsight.hints import Hints
from backsight.hindsight.target.options import SelfDistillOptions
from backsight.types import Group, Trajectory


class SelfDistill(Hindsight[SelfDistillOptions]):
    """Method whose rows have no advantage: their target is the distribution of the teacher."""

    def __init__(self, options: SelfDistillOptions) -> None:
        super().__init__(options)
        self.hints = Hints(options.template, options.introduce, options.hint)
        self.is_paused = False

    @property
    def policy_gradient_weight(self) -> float:
        """While the teacher pauses, what was sampled is reinforced in any case."""
        return super().policy_gradient_weight or float(self.is_paused)

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        taught = [
            (each, group)
            for group in groups
            for each in group.trajectories
            if not (self.options.where == "failures" and each.succeeded)
        ]
        told = self.hints.inform_all(taught, scorer)
        self.is_paused = bool(told) and not scorer.trusts_teacher(told, groups)
        if self.is_paused:
            return LookBack(groups, [])
        attempts = [each for each, _ in taught if each.key in told]
        rows = [
            taught_row(each, "self_distill", prompts, weights_T, self.options.distill_weight)
            for each, prompts, weights_T in zip(
                attempts, told.values(), self._weights(attempts, told, scorer), strict=True
            )
        ]
        return LookBack(groups, rows)

    def _weights(self, attempts: Sequence[Trajectory], told: Told, scorer: Scorer) -> list[Tensor]:
        """Return the weights of the decisions of each attempt, (T,): 1 where the teacher is followed, else 0."""
        if self.options.where != "less_likely" or not attempts:
            return [torch.ones(each.num_decisions) for each in attempts]
        exchanges = [(prompts, each.responses) for each, prompts in zip(attempts, told.values(), strict=True)]
        believed, sampled = scorer.teacher_log_probs(exchanges), scorer.whole_log_probs(attempts)
        return [(teacher_T < own_T).float() for teacher_T, own_T in zip(believed, sampled, strict=True)]
