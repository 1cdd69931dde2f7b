"""Letters and punctuation."""

from __future__ import annotations

import random

import pytest

from backsight.tasks.instructions.answer import Answer
from backsight.tasks.instructions.constraints import Constraint
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


@pytest.mark.parametrize(
    ("constraint", "right", "wrong"),
    [
        (NoCommas(0), ["A cat."], ["A cat, asleep."]),
        (QuestionAtEnd(0), ["Is it?", '"Is it?"', "Is it? *"], ["Is it? Yes.", "?!"]),
        (NoDigits(0), ["It is seven."], ["It is 7."]),
        (Colon(0), ["Tea: hot."], ["Tea; hot."]),
        (Number(0), ["It is 7."], ["It is seven."]),
        (Quoted(0), ['"A cat."', ' "A" and "B" '], ['"A cat', '"', "'A cat'", '"A cat".']),
        (WithoutLetter(0, "k"), ["A cat."], ["A black cat.", "Kim"]),
        (LowerCase(0), ["a cat, 7."], ["A cat.", "7"]),
        (UpperCase(0), ["A CAT, 7."], ["A cat.", "7"]),
    ],
)
def test_it_holds_where_a_person_would_say_so(constraint: Constraint, right: list[str], wrong: list[str]) -> None:
    assert [text for text in right if not constraint.holds(Answer(text))] == []
    assert [text for text in wrong if constraint.holds(Answer(text))] == []


def test_a_trait_is_read_off_where_it_is() -> None:
    rng = random.Random(0)
    assert isinstance(Quoted.read_off(Answer('"A cat."'), rng), Quoted)
    assert Quoted.read_off(Answer("A cat."), rng) is None


def test_an_absent_letter_is_read_off() -> None:
    rng, pangram = random.Random(0), "The quick brown fox jumps over the lazy dog."
    assert WithoutLetter.read_off(Answer(pangram), rng) is None
    found = WithoutLetter.read_off(Answer(pangram.replace("quick", "")), rng)
    assert found is not None and found.letter in "qck"
    assert not found.allows(found.letter.upper())
