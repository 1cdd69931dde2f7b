"""Successes reinforced, failures taught."""

import pytest
import torch
from unit.hindsight.fakes import PAIR, WRONG, FakeScorer, keys_of, make_rows

from backsight.hindsight.target.options import SRPOOptions
from backsight.types import Group


def test_a_failure_of_which_nothing_is_known_is_reinforced() -> None:
    lone = Group("start", (WRONG,), (-torch.ones(2),))
    (row,) = make_rows(SRPOOptions(), lone)
    assert row.advantages is not None and row.teacher_weights is None


def test_a_failure_is_taught_what_its_sibling_said() -> None:
    told, kept = make_rows(SRPOOptions(), PAIR)
    assert keys_of([told, kept]) == [(0, 1), (0, 0)]
    assert told.teacher_prompts == ("A correct answer: yes\nask",) and told.advantages is None
    assert kept.advantages is not None and kept.teacher_prompts is None


def test_the_options_of_self_distillation_are_passed_on() -> None:
    options = SRPOOptions(distill_weight=2.0, template="{prompt} ({hint})", introduce=False)
    told, _ = make_rows(options, PAIR)
    assert told.teacher_prompts == ("ask (yes)",)
    assert told.weight == pytest.approx(2.0 * 2 / 5)  # two of five decisions: both sums have one denominator


def test_while_the_teacher_pauses_failures_are_reinforced_like_successes() -> None:
    rows = make_rows(SRPOOptions(), PAIR, scorer=FakeScorer(trusts=False))
    assert [(each.method, each.weight) for each in rows] == [("outcome", 1.0)] * 2
    assert sorted(keys_of(rows)) == [(0, 0), (0, 1)]  # type: ignore[type-var]
