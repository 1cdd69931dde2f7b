"""Words and sentences of an answer, and what is not worth imitating."""

from __future__ import annotations

import pytest

from backsight.tasks.instructions.answer import Answer


def test_words_are_as_people_count_them() -> None:
    answer = Answer("  Don't worry: a well-known 'trick' costs 3.50 (or less).\n")
    assert answer.words == ["Don't", "worry", "a", "well-known", "trick", "costs", "3", "50", "or", "less"]
    assert answer.lower_words[0] == "don't"
    assert Answer("").words == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("...", 0),
        ("One.", 1),
        ("No full stop", 1),
        ("One. Two! Three?", 3),
        ("Wait... what?! Yes", 3),
        ('He said "Stop." Then he left.', 2),
        ("Mr. Brown costs 3.50 dollars, e.g. today.", 1),
        ("Bye.\n\nP.S. Do not forget.", 2),
    ],
)
def test_sentences_end_with_a_mark_or_with_the_text(text: str, count: int) -> None:
    assert Answer(text).num_sentences == count


def test_variety_is_that_of_words_and_of_pairs_of_them() -> None:
    answer = Answer("The cat saw the cat.")
    assert answer.distinct == 3 / 5
    assert answer.unrepeated == 3 / 4  # the cat, cat saw, saw the, the cat
    assert (Answer("").distinct, Answer("word").unrepeated) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "is_worth_it"),
    [
        ("A cat sleeps in the sun.", True),
        ("rain falls and we stay inside!", True),
        ('{"text": "a cup of tea"}', True),
        ("", False),
        ("Yes.", False),
        ("P.S.", False),
        ("signal signal signal signal.", False),
        ("We like tea and we like tea and we like tea and we like tea.", False),
        ("A cat sleeps in the", False),
        ("A cat sleeps,", False),
    ],
)
def test_what_nobody_would_say_is_not_worth_imitating(text: str, is_worth_it: bool) -> None:
    assert Answer(text).is_worth_imitating is is_worth_it
