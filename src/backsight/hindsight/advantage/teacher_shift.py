"""The opinion of a teacher that was told what was revealed on what the policy did; `opd` and `rlsd` use it.

T decisions of an attempt.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from backsight.hindsight.base import Scorer
from backsight.hindsight.hints import Hints
from backsight.types import Group


def teacher_shifts(groups: Sequence[Group], scorer: Scorer, hints: Hints) -> list[list[Tensor | None]]:
    """Return log π_T(a | s with hint) - log π_old(a | s) for each attempt, (T,); None where there was no hint.

    There is none when nothing was revealed, or when the prompt with it does not fit into the context. π_T is the
    teacher and π_old the policy that sampled the decisions a in their contexts s.
    """
    told = [
        [
            prompts if (prompts := hints.inform(each, group)) is not None and scorer.fits(prompts) else None
            for each in group.trajectories
        ]
        for group in groups
    ]
    asked = [
        (prompts, each.responses)
        for group, own in zip(groups, told, strict=True)
        for each, prompts in zip(group.trajectories, own, strict=True)
        if prompts is not None
    ]
    answers = iter(scorer.teacher_log_probs(asked) if asked else [])
    return [
        [
            None if prompts is None else next(answers) - each.behaviour_log_probs
            for each, prompts in zip(group.trajectories, own, strict=True)
        ]
        for group, own in zip(groups, told, strict=True)
    ]
