"""Rows whose target is a teacher that was told."""

from collections.abc import Sequence
from dataclasses import replace

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
    values,
)

from backsight.hindsight.base import Hindsight, LookBack, Scorer
from backsight.hindsight.catalogue import ChainOptions
from backsight.hindsight.composition import Chain
from backsight.hindsight.options import OutcomeOptions
from backsight.hindsight.prompt.options import ConditionOptions
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


class Anew(Hindsight[OutcomeOptions]):
    """A later member of a chain that turns the advantages around."""

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        return LookBack([replace(each, advantages=tuple(-own for own in each.advantages)) for each in groups], [])


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_while_the_teacher_pauses_a_chain_reinforces_what_was_sampled_once_and_as_it_is_in_the_end(
    weight: float,
) -> None:
    taught = SelfDistillOptions(outcome_weight=weight).build()
    chain = Chain([taught, Anew(OutcomeOptions())])
    rows = make_rows(chain, PAIR, scorer=FakeScorer(trusts=False))
    assert [row.method for row in rows] == ["outcome", "outcome"]
    assert [values(row.advantages) for row in rows] == [[-1.0] * 3, [1.0] * 2]


def test_while_the_teacher_pauses_a_chain_keeps_its_own_weight() -> None:
    chain = ChainOptions(methods=(ConditionOptions(outcome_weight=0.5), SelfDistillOptions()))
    rows = make_rows(chain, PAIR, scorer=FakeScorer(trusts=False))
    assert [(row.method, row.weight) for row in rows] == [("outcome", 0.5)] * 2
    alone = make_rows(SelfDistillOptions(), PAIR, scorer=FakeScorer(trusts=False))
    assert [(row.method, row.weight) for row in alone] == [("outcome", 1.0)] * 2
