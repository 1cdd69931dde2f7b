"""Words that are used, forbidden, first and last."""

from __future__ import annotations

import random

import pytest

from backsight.tasks.instructions.answer import Answer
from backsight.tasks.instructions.constraints import Constraint
from backsight.tasks.instructions.wording import FirstWord, ForbiddenWord, Keyword, KeywordTwice, LastWords


@pytest.mark.parametrize(
    ("constraint", "right", "wrong"),
    [
        (Keyword(0, "tea"), ["Tea is good.", "I like 'tea'."], ["A team plays.", "A tea-party", ""]),
        (KeywordTwice(0, "tea"), ["Tea is tea."], ["Tea is good.", "Tea for the team."]),
        (ForbiddenWord(0, "the"), ["Then they left."], ["THE cat sleeps.", "See the cat."]),
        (FirstWord(0, "If"), ["If you can.", '"if you can"', "- If so"], ["Iffy.", "And if so.", ""]),
        (LastWords(0, "good luck"), ["Well, good luck!", '"Good luck."'], ["good lucky", "Good luck to you.", "luck"]),
    ],
)
def test_it_holds_where_a_person_would_say_so(constraint: Constraint, right: list[str], wrong: list[str]) -> None:
    assert [text for text in right if not constraint.holds(Answer(text))] == []
    assert [text for text in wrong if constraint.holds(Answer(text))] == []


def test_words_that_say_something_are_read_off() -> None:
    answer, rng = Answer("They would bake bread, fresh bread, for their mother."), random.Random(0)
    words = {found.word for _ in range(50) if (found := Keyword.read_off(answer, rng))}
    assert words == {"bake", "bread", "fresh", "mother"}
    twice = KeywordTwice.read_off(Answer("Flour and water and salt."), rng)
    assert twice is not None and twice.word == "and"
    assert Keyword.read_off(Answer("It is as it was."), rng) is None
    assert KeywordTwice.read_off(Answer("Bread is good."), rng) is None


def test_the_beginning_and_the_end_are_read_off() -> None:
    answer, rng = Answer("'bread' needs time and a warm oven."), random.Random(0)
    first, last = (
        FirstWord.read_off(answer, rng),
        {found.phrase for _ in range(30) if (found := LastWords.read_off(answer, rng))},
    )
    assert first is not None and first.word == "Bread"
    assert last == {"warm oven", "a warm oven", "and a warm oven"}
    assert FirstWord.read_off(Answer("3 loaves"), rng) is None
    assert LastWords.read_off(Answer("Bread."), rng) is None


def test_what_is_demanded_and_what_is_forbidden_do_not_go_together() -> None:
    assert not ForbiddenWord(0, "a").goes_with(LastWords(0, "a good day"))
    assert not LastWords(0, "a good day").goes_with(ForbiddenWord(0, "a"))
    assert ForbiddenWord(0, "the").goes_with(LastWords(0, "a good day"))
    assert not ForbiddenWord(0, "in").goes_with(FirstWord(0, "In"))


def test_each_wording_says_what_is_asked() -> None:
    for kind in (Keyword, KeywordTwice, ForbiddenWord, FirstWord):
        assert all("'tea'" in str(kind(number, "tea")) for number in range(len(kind.wordings)))
    assert str(LastWords(2, "good luck")) == "Finish with the phrase 'good luck'."
