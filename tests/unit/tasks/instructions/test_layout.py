"""Lists, titles, brackets, parts and JSON."""

from __future__ import annotations

import random

import pytest

from backsight.tasks.instructions.answer import Answer
from backsight.tasks.instructions.constraints import Constraint
from backsight.tasks.instructions.layout import Bullets, Highlight, Json, Placeholder, Postscript, Title, TwoParts


@pytest.mark.parametrize(
    ("constraint", "right", "wrong"),
    [
        (
            Bullets(0, 2),
            ["- a\n- b", "Two:\n* a\n  * b\n", "• a\n• b"],
            ["- a", "- a\n- b\n- c", "**a**\n**b**", "*a*\n*b*", "a - b"],
        ),
        (Title(0), ["<<Tea>>\nIt is hot.", "<< My tea >>"], ["<Tea>", "<<>>", "<<a\nb>>"]),
        (
            Postscript(0),
            ["Bye.\nP.S. Come soon.", "Bye. P. S.: Come", "P.S. I"],
            ["P.S.", "PS come", "Bye.", "U.P.S. is"],
        ),
        (Placeholder(0), ["Dear [name],"], ["Dear [],", "Dear (name)"]),
        (Highlight(0), ["It is *hot*.", "*very hot*"], ["It is **hot**.", "2 * 3 * 4", "* a\n* b", "***"]),
        (TwoParts(0), ["Tea.\n***\nMilk.", "Tea *** Milk"], ["Tea ***", "Tea", "Tea *** Tea", "a *** b *** c"]),
        (
            Json(0),
            ['{"a": 1}', '["a"]', '```json\n{"a": 1}\n```', "```\n[]\n```"],
            ["7", '"a"', "{a: 1}", "", "[" * 9999],
        ),
    ],
)
def test_it_holds_where_a_person_would_say_so(constraint: Constraint, right: list[str], wrong: list[str]) -> None:
    assert [text for text in right if not constraint.holds(Answer(text))] == []
    assert [text for text in wrong if constraint.holds(Answer(text))] == []


def test_the_number_of_bullets_is_read_off() -> None:
    found = Bullets.read_off(Answer("- a\n- b\n- c"), random.Random(0))
    assert found is not None and found.count == 3
    assert Bullets.read_off(Answer("- a"), random.Random(0)) is None


def test_braces_in_a_wording_are_shown_as_they_are() -> None:
    assert str(Json(1)) == 'Answer with a JSON object, such as {"text": "..."}.'
