"""The opinion of a teacher that was told what was revealed on what the policy did; `opd` and `rlsd` use it.

T decisions of an attempt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from backsight.hindsight.base import Scorer
from backsight.hindsight.hints import Hints
from backsight.types import AttemptKey, Group

Shifts = Mapping[AttemptKey | None, Tensor]
"""Log-ratio of the teacher and the policy at each decision, (T,), by the key of the attempt."""


def teacher_shifts(groups: Sequence[Group], scorer: Scorer, hints: Hints) -> Shifts:
    """Return log π_T(a | s with hint) - log π_old(a | s) by the key of each attempt with a hint, (T,).

    An attempt has none when nothing was revealed, or when the prompt with it does not fit into the context; and nobody
    has one while the teacher is no better than the policy. π_T is the teacher and π_old the policy that sampled the
    decisions a in their contexts s; both are whole distributions, whatever the sampler rules out.
    """
    told = hints.inform_all([(each, group) for group in groups for each in group.trajectories], scorer)
    if not told or not scorer.trusts_teacher(told, groups):
        return {}
    attempts = {each.key: each for group in groups for each in group.trajectories if each.key is not None}
    asked = [(prompts, attempts[key].responses) for key, prompts in told.items()]
    taught = scorer.teacher_log_probs(asked)
    sampled = scorer.whole_log_probs([attempts[key] for key in told])
    return {key: believed_T - own_T for key, believed_T, own_T in zip(told, taught, sampled, strict=True)}
