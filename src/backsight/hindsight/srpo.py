"""`srpo`: successes are reinforced, failures learn from a teacher that was told what was revealed.

Place: the target, for failures alone. Revealed: as for `self_distill`. Source: SRPO (arXiv:2604.02288).

    L = Σ over successes of the policy gradient + Σ over failures of D_α(π, π_T)

It is `Route(succeeded, Outcome(), SelfDistill())`: a failure of which nothing was revealed is reinforced (that is, made
less likely) like the rest, so that no attempt is lost. Each sum is averaged over its own decisions. The paper also
weights tokens by the teacher's entropy; that is left out, since its one independent re-run was below GRPO with it.

When not to use it: as `self_distill`.
"""

from __future__ import annotations

from backsight.hindsight.composition import Route, succeeded
from backsight.hindsight.hints import TEMPLATE
from backsight.hindsight.outcome import Outcome
from backsight.hindsight.self_distill import SelfDistill


class SRPO(Route):
    """A route with a name of its own."""

    def __init__(self, distill_weight: float = 1.0, template: str = TEMPLATE, introduce: bool = True) -> None:
        taught = SelfDistill(distill_weight=distill_weight, template=template, introduce=introduce)
        super().__init__(succeeded, Outcome(), taught)
