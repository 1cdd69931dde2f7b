"""Rows whose target is a teacher that was told."""

import torch
from unit.hindsight.fakes import PAIR, RIGHT, WRONG, FakeScorer, answer, make_rows

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
