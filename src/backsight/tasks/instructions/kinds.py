"""All kinds of constraints, which of them are trained, and how several are drawn that go together."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from backsight.tasks.instructions.constraints import Constraint
from backsight.tasks.instructions.layout import Bullets, Highlight, Json, Placeholder, Postscript, Title, TwoParts
from backsight.tasks.instructions.length import AtLeastWords, AtMostWords, Paragraphs, Sentences, WordsBetween
from backsight.tasks.instructions.marks import (
    Colon,
    LowerCase,
    NoCommas,
    NoDigits,
    Number,
    QuestionAtEnd,
    Quoted,
    UpperCase,
    WithoutLetter,
)
from backsight.tasks.instructions.wording import FirstWord, ForbiddenWord, Keyword, KeywordTwice, LastWords

KINDS: tuple[type[Constraint], ...] = (
    Keyword,
    ForbiddenWord,
    FirstWord,
    LastWords,
    AtMostWords,
    AtLeastWords,
    Sentences,
    NoCommas,
    Colon,
    Number,
    Quoted,
    Bullets,
    Title,
    Postscript,
    Highlight,
    Placeholder,
)
"""Kinds that are trained."""

HELD_OUT_KINDS: tuple[type[Constraint], ...] = (
    KeywordTwice,
    WordsBetween,
    Paragraphs,
    NoDigits,
    WithoutLetter,
    QuestionAtEnd,
    LowerCase,
    UpperCase,
    TwoParts,
    Json,
)
"""Kinds that are only evaluated: some of each sort."""

MARKED = tuple(kind for kind in (*KINDS, *HELD_OUT_KINDS) if kind.is_marked)
"""Kinds that an answer only shows if it was asked to; see `Constraint.is_marked`."""


def draw_constraints(kinds: Sequence[type[Constraint]], count: int, rng: random.Random) -> tuple[Constraint, ...]:
    """Draw constraints of different kinds that one answer can satisfy, in random order."""
    while True:
        chosen: list[Constraint] = []
        for kind in rng.sample(kinds, len(kinds)):
            constraint = kind.draw(rng)
            if goes_with_all(constraint, chosen):
                chosen.append(constraint)
            if len(chosen) == count:
                return tuple(chosen)


def goes_with_all(constraint: Constraint, others: Iterable[Constraint]) -> bool:
    """Return whether one answer can satisfy the constraint together with each of the others."""
    return all(constraint.goes_with(other) for other in others)
