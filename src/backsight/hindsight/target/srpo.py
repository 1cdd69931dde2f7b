"""`srpo`: successes are reinforced, and failures learn from a teacher that was told what was revealed.

Place: the target, for failures alone.
Revealed: a correction, a sibling's success, words about the attempt, or its outcome, as for `self_distill`.
Source: SRPO (arXiv:2604.02288).
Loss:

    L = [Σ over successes of the policy gradient + Σ over failures of D_α(π, π_T)] / N

π is the policy, π_T the teacher, and D_α the divergence of `self_distill`, with α the setting `teacher.alpha`. Both
sums are divided by the number N of all decisions, as in the source (elsewhere each method is averaged over its own).

It is a route: `outcome` learns the successes, and `self_distill` the failures. A failure of which nothing was revealed
is reinforced (that is, made less likely) like the rest, so that no attempt is lost. The paper also weights tokens by
the teacher's entropy; that is left out, since its one independent re-run was below GRPO with it.

When not to use it: where the policy cannot make use of the hint, or where what is revealed will never be found by
reasoning alone, as with `self_distill`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from backsight.hindsight.base import LookBack, Outcome, Scorer
from backsight.hindsight.composition import Route
from backsight.hindsight.options import OutcomeOptions
from backsight.hindsight.target.options import SelfDistillOptions, SRPOOptions
from backsight.hindsight.target.self_distill import SelfDistill
from backsight.types import Group


class SRPO(Route):
    """Route with a name of its own: `outcome` for successes, `self_distill` for failures."""

    def __init__(self, options: SRPOOptions) -> None:
        taught = SelfDistillOptions(
            distill_weight=options.distill_weight,
            template=options.template,
            introduce=options.introduce,
            hint=options.hint,
        )
        super().__init__(Outcome(OutcomeOptions()), SelfDistill(taught))

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        groups, rows = super().reconsider(groups, scorer)
        counts = Counter[str]()
        for row in rows:
            if row.teacher_weights is not None or row.is_reinforced:
                counts[row.method] += row.num_decisions
        total = max(1, counts.total())
        return LookBack(groups, [replace(row, weight=row.weight * counts[row.method] / total) for row in rows])
