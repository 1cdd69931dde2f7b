"""Lengths in words, sentences and paragraphs: both ends of each."""

from __future__ import annotations

import random

import pytest

from backsight.tasks.instructions.answer import Answer
from backsight.tasks.instructions.constraints import Constraint
from backsight.tasks.instructions.length import AtLeastWords, AtMostWords, Paragraphs, Sentences, WordsBetween


@pytest.mark.parametrize(
    ("constraint", "right", "wrong"),
    [
        (AtMostWords(0, 20), [1, 20], [21]),
        (AtLeastWords(0, 20), [20, 60], [19]),
        (WordsBetween(0, 20), [20, 30], [19, 31]),
    ],
)
def test_both_ends_count(constraint: Constraint, right: list[int], wrong: list[int]) -> None:
    assert all(constraint.holds(Answer("word " * count)) for count in right)
    assert not any(constraint.holds(Answer("word " * count)) for count in wrong)


def test_sentences_and_paragraphs_are_counted_exactly() -> None:
    assert Sentences(0, 2).holds(Answer("One. Two."))
    assert not Sentences(0, 2).holds(Answer("One. Two. Three."))
    assert Paragraphs(0).holds(Answer("One.\n \nTwo."))
    assert not any(Paragraphs(0).holds(Answer(text)) for text in ("One.\nTwo.", "One.\n\nTwo.\n\nThree."))


def test_a_length_near_the_answers_own_is_read_off() -> None:
    rng, answer = random.Random(0), Answer("word " * 22)
    assert {found.most for _ in range(30) if (found := AtMostWords.read_off(answer, rng))} == {25, 30}
    assert {found.fewest for _ in range(30) if (found := AtLeastWords.read_off(answer, rng))} == {15, 20}
    assert {found.fewest for _ in range(30) if (found := WordsBetween.read_off(answer, rng))} == {15, 20}
    assert AtMostWords.read_off(Answer("word " * 41), rng) is None
    assert AtLeastWords.read_off(Answer("word " * 9), rng) is None
    assert Sentences.read_off(Answer("A. B. C. D."), rng) is None


def test_numbers_are_said_in_words_and_digits() -> None:
    assert str(Sentences(0, 1)) == "Write exactly one sentence."
    assert str(WordsBetween(0, 10)) == "Write between 10 and 20 words."
