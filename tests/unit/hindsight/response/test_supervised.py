"""Gold answers, imitated."""

import pytest
from unit.hindsight.fakes import ITEM, ROOM, make_rows, values

from backsight.errors import DataError
from backsight.hindsight.response.options import SupervisedOptions
from backsight.tasks.base import Item
from backsight.types import Group


def test_gold_answers_are_imitated() -> None:
    (row,) = make_rows(SupervisedOptions(), Group(ITEM))
    assert (row.prompts, row.responses) == (("asked",), (tuple(map(ord, "gold")),))
    assert values(row.imitation_weights) == [1.0] * 4
    assert row.advantages is None and row.behaviour_log_probs is None


def test_nothing_is_sampled_for_it() -> None:
    assert not SupervisedOptions().learns_from_attempts
    assert make_rows(SupervisedOptions()) == []


def test_a_row_without_gold_answer_is_an_error() -> None:
    with pytest.raises(DataError, match=r"7\.target: None: "):
        make_rows(SupervisedOptions(), Group(Item("7", "asked")))


def test_an_answer_without_room_behind_its_prompt_is_named() -> None:
    with pytest.raises(DataError, match=r"7\.target: .* are longer than the model's context"):
        make_rows(SupervisedOptions(), Group(Item("7", "asked", "x" * (ROOM + 1))))
