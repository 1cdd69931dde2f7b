"""Constraints in hindsight: all hold, as many as were asked, with as few changes as it takes."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from drawn_answers import draw_answer

from backsight.tasks.instructions.answer import Answer
from backsight.tasks.instructions.constraints import Constraint
from backsight.tasks.instructions.kinds import HELD_OUT_KINDS, KINDS, MARKED, draw_constraints
from backsight.tasks.instructions.layout import Bullets, Title
from backsight.tasks.instructions.length import AtMostWords, Sentences
from backsight.tasks.instructions.marks import LowerCase, NoCommas, Quoted, UpperCase
from backsight.tasks.instructions.relabelling import satisfied_constraints
from backsight.tasks.instructions.wording import Keyword


def test_every_constraint_holds_whatever_was_answered() -> None:
    relabelled = 0
    for seed in range(2000):
        rng = random.Random(seed)
        asked, answer = draw_constraints(KINDS, rng.randint(1, 5), rng), Answer(draw_answer(rng))
        found = satisfied_constraints(asked, answer, rng)
        if found is None:
            continue
        relabelled += 1
        assert len(found) == len(asked)
        assert all(each.holds(answer) for each in found)
        assert all(one.goes_with(two) for one, two in combinations(found, 2))
        assert all(type(each) in KINDS for each in found)
        assert all(each == old for each, old in zip(found, asked, strict=True) if old.holds(answer))
        shown = {kind for kind in MARKED if kind.is_shown_by(answer)}
        assert shown <= set(map(type, found))
    assert relabelled > 600


def relabel(asked: list[Constraint], answer: str, seed: int = 0) -> tuple[Constraint, ...] | None:
    return satisfied_constraints(asked, Answer(answer), random.Random(seed))


def test_a_failed_constraint_becomes_one_of_its_kind_where_it_stood() -> None:
    asked = [NoCommas(1), Keyword(2, "river"), Sentences(0, 1)]
    found = relabel(asked, "We bake bread. It is warm.")
    assert found is not None
    assert found[0] == asked[0]
    assert isinstance(found[1], Keyword) and found[1].word in ("bake", "bread", "warm")
    assert isinstance(found[2], Sentences) and found[2].count == 2


def test_another_kind_takes_the_place_of_one_that_the_answer_cannot_satisfy() -> None:
    found = relabel([NoCommas(0), Bullets(0, 2)], "We bake bread. It is warm.")
    assert found is not None
    assert found[0] == NoCommas(0)
    assert not found[1].is_marked


def test_a_marked_trait_that_was_not_asked_for_is_asked_for_first() -> None:
    for seed in range(20):
        found = relabel([NoCommas(0), Keyword(0, "river")], '"We bake bread. It is warm."', seed)
        assert found is not None and isinstance(found[1], Quoted)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ([Keyword(0, "river"), NoCommas(0)], "we bake <<bread>>."),  # two marked traits, one place
        ([Keyword(0, "river"), NoCommas(0)], "- We bake bread."),  # more or fewer bullet points than are asked for
        ([Bullets(0, 2), NoCommas(0)], "- We bake bread.\n- It\n- is\n- as\n- good\n- as cake."),
        ([Keyword(0, "river"), NoCommas(0)], "WE BAKE BREAD."),  # of a kind that is held out
        ([Keyword(0, "river"), UpperCase(0)], "WE BAKE BREAD."),
        ([Keyword(0, "river"), Title(0)], "signal signal signal <<signal>>"),
        ([Keyword(0, "river"), NoCommas(0)], "We bake bread in the"),
        ([Keyword(0, "river"), NoCommas(0)], ""),
        ([Keyword(0, "river"), NoCommas(0)], "I shall do so: do not use any commas."),
        ([Keyword(0, "river"), NoCommas(0)], "Your answer has no mistakes."),
    ],
)
def test_what_must_not_be_learnt_has_no_constraints(asked: list[Constraint], answer: str) -> None:
    assert relabel(asked, answer) is None


def test_there_may_be_too_few_that_go_together() -> None:
    asked = draw_constraints(KINDS, 6, random.Random(0))
    assert relabel(list(asked), "We, we are.") is None


def test_the_seed_chooses_among_several() -> None:
    asked = [LowerCase(0), AtMostWords(0, 10)]
    answer = "We bake bread. It is warm."
    assert len({relabel(asked, answer, seed) for seed in range(20)}) > 3
    assert relabel(asked, answer, 1) == relabel(asked, answer, 1)
    assert not set(HELD_OUT_KINDS) & {type(each) for seed in range(20) for each in relabel(asked, answer, seed) or ()}
