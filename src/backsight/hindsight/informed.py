"""What a teacher that was told what was revealed thinks of the policy's own words. T decisions of an attempt."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from backsight.hindsight.base import Scorer, behaviour_log_probs
from backsight.hindsight.hints import Hints
from backsight.types import Group


def teacher_shifts(groups: Sequence[Group], scorer: Scorer, hints: Hints) -> list[list[Tensor | None]]:
    """(T,) for each attempt: log π_T(a | s with hint) - log π_old(a | s); None where nothing was revealed."""
    told = [
        [
            prompts if (prompts := hints.informed(each, group)) is not None and scorer.fits(prompts) else None
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
            None if prompts is None else next(answers) - behaviour_log_probs(each)
            for each, prompts in zip(group.trajectories, own, strict=True)
        ]
        for group, own in zip(groups, told, strict=True)
    ]
