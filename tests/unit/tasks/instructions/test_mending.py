"""Corrections by rule: each kind that can be mended, and what is left alone."""

import random

import pytest

from backsight.tasks.instructions.answer import Answer
from backsight.tasks.instructions.constraints import Constraint
from backsight.tasks.instructions.kinds import KINDS, draw_constraints
from backsight.tasks.instructions.layout import Bullets, Highlight, Placeholder, Postscript, Title
from backsight.tasks.instructions.length import AtLeastWords, AtMostWords, Sentences
from backsight.tasks.instructions.marks import Colon, NoCommas, Number, Quoted
from backsight.tasks.instructions.mending import RULES, mend, sentences_of
from backsight.tasks.instructions.wording import FirstWord, ForbiddenWord, Keyword, LastWords

TEXT = "A cat sleeps by the window. In winter, it likes the warm stove. Birds do not mind."


def mended(*asked: Constraint, text: str = TEXT) -> str | None:
    return mend(asked, text, random.Random(0))


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        (ForbiddenWord(0, "in"), "A cat sleeps by the window. Birds do not mind."),
        (Sentences(0, 2), "A cat sleeps by the window. In winter, it likes the warm stove."),
        (AtMostWords(0, 10), "A cat sleeps by the window."),
        (NoCommas(0), "A cat sleeps by the window. In winter it likes the warm stove. Birds do not mind."),
        (LastWords(0, "with a smile"), f"{TEXT} With a smile."),
        (Bullets(0, 2), "- A cat sleeps by the window.\n- In winter, it likes the warm stove."),
        (Title(0), f"<<Sleeps window winter>>\n{TEXT}"),
        (Quoted(0), f'"{TEXT}"'),
    ],
)
def test_what_is_mended_by_rule(constraint: Constraint, expected: str) -> None:
    assert mended(constraint) == expected


@pytest.mark.parametrize("constraint", [Colon(0), Highlight(0), Placeholder(0), Postscript(0)])
def test_what_is_put_in_keeps_the_words(constraint: Constraint) -> None:
    text = mended(constraint)
    assert text is not None and constraint.holds(Answer(text))
    assert [word for word in Answer(TEXT).words if word not in Answer(text).words] == []


@pytest.mark.parametrize(
    "constraint",
    [Keyword(0, "light"), FirstWord(0, "When"), AtLeastWords(0, 30), Number(0), Bullets(0, 4), Sentences(0, 4)],
)
def test_what_needs_somebody_who_can_write_is_left_alone(constraint: Constraint) -> None:
    assert mended(constraint) is None
    assert mended(Quoted(0), constraint) is None, "all or nothing"


def test_nothing_is_mended_that_was_right_or_is_not_worth_it() -> None:
    assert mended(Sentences(0, 3)) is None
    assert mended(Quoted(0), text="") is None
    assert mended(Quoted(0), text="signal signal signal signal.") is None


def test_several_rules_do_not_undo_one_another() -> None:
    text = mended(Quoted(0), NoCommas(0), Postscript(0))
    assert text is not None and text.startswith('"A cat') and "In winter it" in text and text.endswith('"')


def test_whatever_is_mended_satisfies_all_that_was_asked() -> None:
    rng = random.Random(0)
    texts = (
        TEXT,
        'Say "hello", and wave. It costs nothing!',
        "- milk\n- two eggs, beaten\nMix well. Bake for 20 minutes.",
    )
    count = 0
    for _ in range(600):
        asked = draw_constraints(KINDS, 3, rng)
        if (text := mend(asked, rng.choice(texts), rng)) is not None:
            count += 1
            assert all(constraint.holds(Answer(text)) for constraint in asked), (asked, text)
    assert count > 60


def test_rules_are_for_trained_kinds() -> None:
    assert set(RULES) <= set(KINDS)


def test_sentences_keep_their_marks() -> None:
    assert sentences_of('He said "go!" Then he left … perhaps') == ['He said "go!"', "Then he left …", "perhaps"]
