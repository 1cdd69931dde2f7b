"""Where credit went: sums worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from backsight.reports.credit import MOST_NAMES, OTHERS, bucket, credit_tables


def row(**change: Any) -> dict[str, Any]:
    held = {"method": "outcome", "prompts": ["p"], "turns": [3], "pieces": ["a", "b", "a"], "push": [0.5, -0.25, 0.25]}
    return {**held, "feedback": {}, **change}


def table(by: str, *rows: dict[str, Any]) -> dict[str, tuple[float, float, int]]:
    found = {each.by: each for each in credit_tables(rows)}[by]
    return {each.name: (each.up, each.down, each.num_tokens) for each in found.rows}


def test_pushes_up_and_down_are_summed_apart() -> None:
    assert table("token", row()) == {"a": (0.75, 0.0, 2), "b": (0.0, 0.25, 1)}
    assert {each.total for each in credit_tables([row()])} == {1.0}


def test_positions_are_counted_in_each_turn_from_both_ends() -> None:
    two_turns = row(turns=[1, 2])
    assert table("position", two_turns) == {"1": (0.5, 0.25, 2), "2": (0.25, 0.0, 1)}
    assert table("from_end", two_turns) == {"1": (0.75, 0.0, 2), "2": (0.0, 0.25, 1)}
    assert table("turn", two_turns) == {"1": (0.5, 0.0, 1), "2": (0.25, 0.25, 2)}


def test_methods_and_sources_are_those_of_the_row() -> None:
    judged = row(method="relabel", feedback={"sources": ["judge", "rule"]})
    assert table("method", row(), judged) == {"outcome": (0.75, 0.25, 3), "relabel": (0.75, 0.25, 3)}
    assert set(table("source", row(), judged)) == {"nobody", "judge, rule"}


def test_a_push_that_was_not_finite_counts_as_none() -> None:
    assert table("token", row(push=[None, -1.0, None])) == {"b": (0.0, 1.0, 1), "a": (0.0, 0.0, 2)}


def test_small_shares_are_put_together() -> None:
    many = [row(turns=[1], pieces=[f"t{number}"], push=[1.0 + number]) for number in range(MOST_NAMES + 2)]
    found = table("token", *many)
    assert len(found) == MOST_NAMES + 1
    assert found[OTHERS] == (1.0 + 2.0, 0.0, 2)


@pytest.mark.parametrize(
    ("position", "name"), [(1, "1"), (2, "2"), (3, "3–4"), (4, "3–4"), (5, "5–8"), (8, "5–8"), (9, "9–16")]
)
def test_ranges_of_positions_double(position: int, name: str) -> None:
    assert bucket(position) == name


def test_nothing_traced_is_no_credit() -> None:
    assert all(each.rows == [] and each.total == 0 for each in credit_tables([]))
