"""The kinds together: how each is said, which go together, and how several are drawn."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from backsight.tasks.instructions.answer import Answer
from backsight.tasks.instructions.constraints import Constraint
from backsight.tasks.instructions.kinds import HELD_OUT_KINDS, KINDS, draw_constraints, goes_with_all
from backsight.tasks.instructions.marks import NoCommas, Quoted
from backsight.tasks.instructions.wording import FirstWord, ForbiddenWord, Keyword

ALL = (*KINDS, *HELD_OUT_KINDS)
ANSWERS = [
    "Bread needs time, patience and a warm oven.",
    '"we have 2 cats. they like to sleep!"',
    "<<TEA>>\nTea is *hot*. I like tea.\nP.S. Bring milk! Bring it now!",
    "- one\n- two\n- three",
    "Dear [name],\n\nit is late (very late). Shall we go?",
    "I SAY IT *** YOU SAY IT",
    '{"text": "tea"}',
    " ".join(["We like to bake bread on a quiet morning."] * 5),
]


def test_a_third_of_the_kinds_or_more_is_held_out() -> None:
    names = [kind.kind for kind in ALL]
    assert len(set(names)) == len(names) >= 18
    assert len(HELD_OUT_KINDS) >= len(names) / 3


def test_conflicts_name_kinds_that_there_are() -> None:
    assert set().union(*(kind.conflicts for kind in ALL)) <= {kind.kind for kind in ALL}


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.kind)
def test_each_kind_is_said_in_several_ways_and_fails_and_holds_somewhere(kind: type[Constraint]) -> None:
    drawn = [kind.draw(random.Random(seed)) for seed in range(200)]
    said = [str(each) for each in drawn]
    assert {each.wording for each in drawn} == set(range(len(kind.wordings)))
    assert len(kind.wordings) >= 2
    assert all(text[-1] in ".!" and "{self" not in text for text in said)
    held = [each.holds(Answer(answer)) for each in drawn for answer in ANSWERS]
    assert not all(held)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.kind)
def test_what_is_read_off_holds(kind: type[Constraint]) -> None:
    rng = random.Random(0)
    found = [(kind.read_off(Answer(answer), rng), answer) for answer in ANSWERS for _ in range(20)]
    known = [(each, answer) for each, answer in found if each is not None]
    assert known, "no answer here shows it"
    assert all(each.holds(Answer(answer)) for each, answer in known)


@pytest.mark.parametrize("kinds", [KINDS, HELD_OUT_KINDS])
@pytest.mark.parametrize("count", [1, 3, 6])
def test_constraints_that_are_drawn_go_together(kinds: tuple[type[Constraint], ...], count: int) -> None:
    for seed in range(100):
        drawn = draw_constraints(kinds, count, random.Random(seed))
        assert len(drawn) == count
        assert all(type(each) in kinds for each in drawn)
        assert all(one.goes_with(two) and two.goes_with(one) for one, two in combinations(drawn, 2))


def test_every_kind_comes_up() -> None:
    drawn = {type(each) for seed in range(300) for each in draw_constraints(KINDS, 3, random.Random(seed))}
    assert drawn == set(KINDS)


def test_one_of_several_may_stand_in_the_way() -> None:
    others = [Keyword(0, "tea"), FirstWord(0, "In")]
    assert goes_with_all(ForbiddenWord(0, "to"), others)
    assert not goes_with_all(ForbiddenWord(0, "in"), others)
    assert not goes_with_all(Keyword(0, "milk"), others)


def test_all_of_the_kinds_may_be_drawn_at_once() -> None:
    drawn = draw_constraints((Quoted, NoCommas), 2, random.Random(0))
    assert {type(constraint) for constraint in drawn} == {Quoted, NoCommas}
