"""Rows whose target is a teacher that was told."""

import pytest
import torch
from unit.hindsight.fakes import (
    FAILURE,
    PAIR,
    RIGHT,
    SUCCESS,
    WRONG,
    FakeScorer,
    answer,
    attempt,
    group_of,
    make_rows,
)

from backsight.hindsight.target.options import SelfDistillOptions
from backsight.types import Group


def test_the_policy_listens_where_it_is_told_to() -> None:
    three = Group("start", (RIGHT, answer("yes!", True), WRONG), tuple(map(torch.zeros, (3, 4, 2))))
    everywhere = make_rows(SelfDistillOptions(), three)
    assert [each.num_decisions for each in everywhere] == [3, 4, 2]
    assert all(each.advantages is None for each in everywhere)
    assert [each.num_decisions for each in make_rows(SelfDistillOptions(where="failures"), three)] == [2]
    doubting = FakeScorer(teacher_log_prob=lambda exchange: torch.tensor([-0.1, -0.9]))
    (only,) = make_rows(SelfDistillOptions(where="less_likely"), PAIR, scorer=doubting)
    assert only.teacher_weights is not None and only.teacher_weights.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("options", [SelfDistillOptions(), SelfDistillOptions(outcome_weight=1.0)])
def test_while_the_teacher_pauses_what_was_sampled_is_reinforced(options: SelfDistillOptions) -> None:
    """Of one success among many failures a single row remained."""
    crowd = group_of(attempt((1, 2), SUCCESS), *(attempt((3,), FAILURE) for _ in range(7)))
    rows = make_rows(options, crowd, scorer=FakeScorer(trusts=False))
    assert [(each.method, each.weight, each.teacher_weights) for each in rows] == [("outcome", 1.0, None)] * 8
    assert [each.advantages.tolist() for each in rows if each.advantages is not None] == [
        each.tolist() for each in crowd.advantages
    ]
