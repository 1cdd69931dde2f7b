"""Successes reinforced, failures taught."""

import pytest
import torch
from unit.hindsight.fakes import PAIR, WRONG, FakeScorer, attempt, group_of, keys_of, make_rows

from backsight.hindsight.target.options import SRPOOptions
from backsight.types import Feedback, Group


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


def test_a_control_is_told_of_another_prompt() -> None:
    elsewhere = attempt((1,), Feedback(reward=0.0, success=False, correction="gold"), prompt="asked", text="no")
    rows = make_rows(SRPOOptions(hint="other"), PAIR, group_of(elsewhere))
    told = {key: each.teacher_prompts for key, each in zip(keys_of(rows), rows, strict=True)}
    assert told[0, 1] == ("A correct answer: gold\nask",) and told[1, 0] == ("A correct answer: yes\nasked",)
