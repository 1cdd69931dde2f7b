"""Constraints in hindsight: those that an answer satisfies, in place of those that it was asked for and missed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from backsight.tasks.instructions.answer import Answer
from backsight.tasks.instructions.constraints import Constraint
from backsight.tasks.instructions.kinds import HELD_OUT_KINDS, KINDS, MARKED, goes_with_all


def satisfied_constraints(
    asked: Sequence[Constraint], answer: Answer, rng: random.Random
) -> tuple[Constraint, ...] | None:
    """Return as many constraints as were asked, all of which the answer satisfies; None if there are none to be had.

    Those that hold are kept, in their words. A failed one is replaced, where it stood, by another of its kind if the
    answer satisfies one, else of any kind that is trained. But what is marked about the answer (all in lower case, in
    quotation marks, a title, …) comes first: if the new instruction did not ask for it, the policy would learn to
    answer like this whatever it is asked. So an answer with more marked traits than constraints to replace, or with one
    of a kind that is held out, is not relabelled, nor is one that is not worth imitating or recites the instruction.
    """
    if not answer.is_worth_imitating or _recites(answer, asked):
        return None
    slots = [constraint if constraint.holds(answer) else None for constraint in asked]
    kept = [constraint for constraint in slots if constraint is not None]
    failed = [type(constraint) for constraint in asked if constraint not in kept]
    unasked = [kind for kind in MARKED if kind not in map(type, kept) and kind.is_shown_by(answer)]
    if any(kind in HELD_OUT_KINDS for kind in [*unasked, *map(type, kept)]):
        return None
    new: list[Constraint] = []
    for kind in dict.fromkeys([*unasked, *failed, *rng.sample(KINDS, len(KINDS))]):
        constraint = kind.read_off(answer, rng)
        if constraint is not None and len(new) < len(failed) and goes_with_all(constraint, [*kept, *new]):
            new.append(constraint)
    if len(new) < len(failed) or not set(unasked) <= set(map(type, new)):
        return None
    filling = iter(new)
    return tuple(next(filling) if constraint is None else constraint for constraint in slots)


def _recites(answer: Answer, asked: Sequence[Constraint]) -> bool:
    """Return whether an answer speaks of its instruction, as small models do, instead of following it."""
    text = answer.text.lower()
    return "your answer" in text or any(str(constraint).lower() in text for constraint in asked)
