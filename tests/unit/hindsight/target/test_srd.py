"""Pitfalls that are written first, and corrected by a teacher that was told."""

from dataclasses import replace

import pytest
import torch
from unit.hindsight.fakes import (
    FAILURE,
    ITEM,
    SUCCESS,
    Cramped,
    FakeScorer,
    attempt,
    group_of,
    make_rows,
    refuse,
    values,
)

from backsight.errors import ConfigError
from backsight.hindsight.target.options import SRDOptions
from backsight.policies.thinking import thought_end
from backsight.types import Example, Feedback, Trajectory


def thinking(text: str, feedback: Feedback = FAILURE) -> Trajectory:
    """One completion, a token for each letter."""
    made = attempt(tuple(map(ord, text)), feedback, text=text)
    action = replace(made.steps[0].action, thought_end=thought_end(text, has_begun=False))
    return replace(made, steps=(replace(made.steps[0], action=action),))


def teacher_rows(rows: list[Example]) -> list[Example]:
    return [each for each in rows if each.teacher_weights is not None]


def test_the_pitfalls_are_taught_and_all_is_reinforced() -> None:
    written = thinking("<think>x</think>no"), thinking("no thought")
    rows = make_rows(SRDOptions(), group_of(*written, start=ITEM))
    assert [each.method for each in rows] == ["outcome+srd", "outcome"]
    assert all(each.advantages is not None for each in rows)
    (row,) = teacher_rows(rows)
    assert row.teacher_prompts == ("A correct answer: gold\nasked",) and row.prompts == ("asked",)
    # the mean over 16 tokens is made the sum over them, a mean over two attempts: 0.01·16/2
    assert values(row.teacher_weights) == [0.08] * 16 + [0.0] * 2
    assert row.behaviour_log_probs is not None


def test_without_a_gold_answer_the_teacher_is_told_what_else_is_known() -> None:
    told = thinking("<think>x</think>no", Feedback(reward=0.0, success=False, text="too short"))
    rows = make_rows(SRDOptions(distill_weight=1.0), group_of(told, thinking("<think>y</think>no")))
    (row,) = teacher_rows(rows)  # of the other nothing is known
    assert row.teacher_prompts == ("What was said of an earlier answer: too short\nasked",)
    assert values(row.teacher_weights) == [8.0] * 16 + [0.0] * 2


def test_a_thought_without_an_end_is_taught_as_a_whole() -> None:
    (row,) = teacher_rows(make_rows(SRDOptions(distill_weight=1.0), group_of(thinking("<think>x"), start=ITEM)))
    assert values(row.teacher_weights) == [8.0] * 8


def test_each_step_of_an_episode_has_pitfalls_of_its_own() -> None:
    one, two = thinking("<think>x</think>no"), thinking("no")
    both = replace(one, steps=(two.steps[0], *one.steps))
    (row,) = teacher_rows(make_rows(SRDOptions(distill_weight=1.0), group_of(both, start=ITEM)))
    assert values(row.teacher_weights) == [0.0] * 2 + [16.0] * 16 + [0.0] * 2


@pytest.mark.parametrize("scorer", [Cramped(refuse, refuse), FakeScorer(refuse, refuse, trusts=False)])
def test_without_room_or_trust_it_is_the_control(scorer: FakeScorer) -> None:
    group = group_of(thinking("<think>x</think>no"), thinking("<think>y</think>yes", SUCCESS), start=ITEM)
    rows = make_rows(SRDOptions(), group, scorer=scorer)
    assert [(each.method, each.teacher_weights) for each in rows] == [("outcome", None)] * 2


def test_a_run_that_begins_without_pitfalls_is_refused_and_one_that_goes_on_is_not() -> None:
    silent = group_of(thinking("no"), thinking("yes", SUCCESS))
    with pytest.raises(ConfigError, match="srd: no attempt begins with pitfalls between <think> and </think>; ask"):
        make_rows(SRDOptions(), silent)
    method, resumed = SRDOptions().build(), SRDOptions().build()
    assert make_rows(method, group_of(start=ITEM)) == []  # a step without attempts says nothing
    make_rows(method, group_of(thinking("<think>x</think>no"), start=ITEM))
    resumed.load_state(method.state())
    for each in (method, resumed):
        assert [row.method for row in make_rows(each, silent)] == ["outcome"] * 2


def test_its_state_is_a_tensor() -> None:
    assert torch.equal(SRDOptions().build().state()["has_begun"], torch.tensor(False))  # type: ignore[arg-type]
