"""What a method is: in which order it thinks, and the control, which does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import pytest
import torch
from unit.hindsight.fakes import PAIR, RIGHT, WRONG, FakeScorer, attempt, group_of, keys_of, make_rows

from backsight.hindsight.base import (
    Hindsight,
    LookBack,
    Scorer,
    imitation_row,
    merge_rows,
    number_attempts,
    policy_gradient_row,
    policy_gradient_rows,
    spread_over_decisions,
)
from backsight.hindsight.options import MethodOptions, OutcomeOptions
from backsight.types import Action, AttemptKey, Example, Feedback, Group, Step, Trajectory

SHORT, LONG = attempt((7,)), attempt((7, 8), log_probs=(0.0, -0.1))
GROUP = Group("start", (SHORT, LONG), (torch.tensor([1.0]), torch.tensor([2.0, 2.0])))


class NotingOptions(MethodOptions):
    """A method of a user's own, which no catalogue knows."""

    name: Literal["noting"] = "noting"
    factor: float = 2.0
    """Multiplies the advantages."""

    def build(self) -> Noting:
        return Noting(self)


class Noting(Hindsight[NotingOptions]):
    """Changes the advantages, adds a row under the prompt that was asked, and notes what it is asked."""

    def __init__(self, options: NotingOptions) -> None:
        super().__init__(options)
        self.calls: list[tuple[str, list[list[AttemptKey | None]]]] = []

    def fit(self, groups: Sequence[Group], scorer: Scorer) -> None:
        self._note("fit", groups)

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        self._note("reconsider", groups)
        changed = [
            replace(group, advantages=tuple(self.options.factor * own for own in group.advantages)) for group in groups
        ]
        rows = [
            imitation_row(each.prompts, each.responses, "noting", trajectory=each)
            for group in groups
            for each in group.trajectories
        ]
        return LookBack(changed, rows)

    def _note(self, what: str, groups: Sequence[Group]) -> None:
        self.calls.append((what, [[each.key for each in group.trajectories] for group in groups]))


class TestHindsight:
    def test_a_method_fits_then_reconsiders_attempts_that_have_a_key(self) -> None:
        method = NotingOptions().build()
        method.look_back([GROUP, Group("empty"), PAIR], FakeScorer())
        keys = [[AttemptKey(0, 0), AttemptKey(0, 1)], [], [AttemptKey(2, 0), AttemptKey(2, 1)]]
        assert method.calls == [("fit", keys), ("reconsider", keys)]

    def test_what_was_sampled_is_reinforced_with_the_advantages_that_the_method_gave(self) -> None:
        groups, rows = NotingOptions().build().look_back([GROUP], FakeScorer())
        assert [each.tolist() for each in groups[0].advantages] == [[2.0], [4.0, 4.0]]
        assert [each.tolist() for each in GROUP.advantages] == [[1.0], [2.0, 2.0]]
        # and the rows of one attempt are one
        assert [each.method for each in rows] == ["outcome+noting"] * 2
        assert [each.advantages.tolist() for each in rows if each.advantages is not None] == [[2.0], [4.0, 4.0]]
        assert [each.imitation_weights.tolist() for each in rows if each.imitation_weights is not None] == [
            [1.0],
            [1.0, 1.0],
        ]

    def test_the_groups_that_come_back_and_the_rows_name_the_same_attempts(self) -> None:
        groups, rows = NotingOptions().build().look_back([GROUP, PAIR], FakeScorer())
        assert keys_of(rows) == [each.key for group in groups for each in group.trajectories]
        assert keys_of(rows) == [(0, 0), (0, 1), (1, 0), (1, 1)]

    def test_reconsider_alone_neither_numbers_nor_fits_nor_reinforces(self) -> None:
        method = NotingOptions(factor=3.0).build()
        groups, rows = method.reconsider([GROUP], FakeScorer())
        assert method.calls == [("reconsider", [[None, None]])]
        assert keys_of(rows) == [None, None]
        assert [each.method for each in rows] == ["noting", "noting"]
        assert [each.tolist() for each in groups[0].advantages] == [[3.0], [6.0, 6.0]]

    def test_a_method_that_overrides_nothing_leaves_the_groups_alone(self) -> None:
        method = Hindsight(OutcomeOptions())
        assert method.reconsider([GROUP], FakeScorer()) == LookBack([GROUP], [])
        assert method.state() == {}
        method.load_state({})


class TestOutcome:
    def test_every_decision_has_its_advantage_and_what_it_was_sampled_with(self) -> None:
        examples = make_rows(OutcomeOptions(), GROUP)
        assert [each.advantages.tolist() for each in examples if each.advantages is not None] == [[1.0], [2.0, 2.0]]
        assert examples[1].behaviour_log_probs is not None
        assert examples[1].behaviour_log_probs.tolist() == pytest.approx([0.0, -0.1])
        assert all(each.imitation_weights is None and each.prompts == ("asked",) for each in examples)

    def test_an_empty_group_teaches_nothing(self) -> None:
        assert make_rows(OutcomeOptions(), replace(GROUP, trajectories=(), advantages=()), Group("other")) == []


KEY = AttemptKey(0, 0)
NUMBERED = replace(RIGHT, key=KEY)


def teach(trajectory: Trajectory) -> Example:
    """A row that wants another part of the loss than the policy gradient's."""
    sampled = policy_gradient_row(trajectory, torch.ones(3))
    return replace(
        sampled,
        method="self_distill",
        advantages=None,
        teacher_prompts=("t",),
        teacher_weights=torch.ones(3),
        weight=2.0,
    )


class TestNumberAttempts:
    def test_a_key_is_the_place_of_an_attempt_in_the_step(self) -> None:
        numbered = number_attempts([PAIR, Group("empty"), group_of(WRONG)])
        keys = [[each.key for each in group.trajectories] for group in numbered]
        assert keys == [[AttemptKey(0, 0), AttemptKey(0, 1)], [], [AttemptKey(2, 0)]]
        assert keys[0][1] is not None and (keys[0][1].group, keys[0][1].attempt) == (0, 1)

    def test_nothing_else_changes_and_what_was_given_has_no_key(self) -> None:
        (numbered,) = number_attempts([PAIR])
        assert numbered.start == PAIR.start and numbered.advantages is PAIR.advantages
        assert [each.steps for each in numbered.trajectories] == [each.steps for each in PAIR.trajectories]
        assert [each.feedback for each in numbered.trajectories] == [each.feedback for each in PAIR.trajectories]
        assert [each.key for each in PAIR.trajectories] == [None, None]

    def test_attempts_are_numbered_anew_in_every_step(self) -> None:
        (numbered,) = number_attempts([Group("start", (replace(RIGHT, key=AttemptKey(7, 7)),))])
        assert numbered.trajectories[0].key == AttemptKey(0, 0)

    def test_one_attempt_in_two_places_has_two_keys(self) -> None:
        (numbered,) = number_attempts([Group("start", (WRONG, WRONG))])
        assert [each.key for each in numbered.trajectories] == [AttemptKey(0, 0), AttemptKey(0, 1)]

    def test_a_key_stays_when_the_feedback_is_another(self) -> None:
        assert NUMBERED.with_feedback(Feedback(reward=5.0)).key == KEY


class TestMergeRows:
    def test_rows_of_one_attempt_become_one(self) -> None:
        sampled = policy_gradient_row(NUMBERED, torch.ones(3), 0.5)
        (both,) = merge_rows([sampled, teach(NUMBERED)])
        assert both.advantages is not None and both.advantages.tolist() == [0.5] * 3 and both.weight == 1.0
        assert both.teacher_weights is not None and both.teacher_weights.tolist() == [2.0] * 3
        assert both.method == "outcome+self_distill" and both.behaviour_log_probs is not None
        assert both.teacher_prompts == ("t",)

    def test_two_that_want_the_same_part_of_the_loss_stay_two(self) -> None:
        sampled = policy_gradient_row(NUMBERED, torch.ones(3), 0.5)
        assert len(merge_rows([sampled, sampled])) == 2  # both want the advantage: two rows, as asked

    def test_rows_under_other_prompts_stay_apart(self) -> None:
        sampled = policy_gradient_row(NUMBERED, torch.ones(3), 0.5)
        other = imitation_row(("other",), NUMBERED.responses, "imitated", trajectory=NUMBERED)
        assert len(merge_rows([sampled, other])) == 2

    def test_rows_that_nobody_sampled_stay_apart(self) -> None:
        assert len(merge_rows([imitation_row(("p",), ((1,),), "a"), imitation_row(("p",), ((1,),), "a")])) == 2

    def test_an_attempt_is_known_by_its_key_and_not_by_the_object(self) -> None:
        judged = NUMBERED.with_feedback(Feedback(reward=5.0))
        assert judged is not NUMBERED
        (both,) = merge_rows([policy_gradient_row(NUMBERED, torch.ones(3)), teach(judged)])
        assert both.method == "outcome+self_distill" and both.trajectory is NUMBERED

    def test_one_object_in_two_places_is_two_attempts(self) -> None:
        (first, second) = number_attempts([Group("start", (RIGHT, RIGHT))])[0].trajectories
        assert len(merge_rows([policy_gradient_row(first, torch.ones(3)), teach(second)])) == 2

    def test_attempts_without_a_key_stay_apart(self) -> None:
        assert RIGHT.key is None
        assert len(merge_rows([policy_gradient_row(RIGHT, torch.ones(3)), teach(RIGHT)])) == 2

    def test_rows_of_other_lengths_or_shaping_stay_apart(self) -> None:
        sampled = policy_gradient_row(NUMBERED, torch.ones(3))
        shaped = replace(teach(NUMBERED), shaping=0.1)
        assert len(merge_rows([sampled, shaped])) == 2
        beginning = replace(teach(NUMBERED), prompts=("ask", "and"), responses=((0,), (1,)))
        assert len(merge_rows([sampled, beginning])) == 2

    def test_the_order_of_the_first_rows_is_kept(self) -> None:
        one, two = number_attempts([Group("start", (RIGHT, attempt((1, 2, 3))))])[0].trajectories
        rows = merge_rows([*(policy_gradient_row(each, torch.ones(3)) for each in (one, two)), teach(two), teach(one)])
        assert [each.trajectory for each in rows] == [one, two]


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_the_policy_gradient_has_a_row_an_attempt_and_none_for_the_weight_zero(weight: float) -> None:
    rows = policy_gradient_rows([PAIR, Group("empty")], weight)
    assert [each.weight for each in rows] == ([0.5, 0.5] if weight else [])
    assert [each.trajectory for each in rows] == (list(PAIR.trajectories) if weight else [])


def test_every_decision_has_the_value_of_its_step() -> None:
    steps = tuple(Step("p", Action(tuple(range(length)), torch.zeros(length))) for length in (2, 1, 3))
    values_T = spread_over_decisions([1.0, 2.0, 3.0], Trajectory("start", steps))
    assert values_T.tolist() == [1.0, 1.0, 2.0, 3.0, 3.0, 3.0]


def test_an_action_that_is_no_list_of_tokens_is_one_decision() -> None:
    row = imitation_row(("a", "b"), ((1, 2, 3), 4), "imitated", 0.5)
    assert row.imitation_weights is not None and row.imitation_weights.tolist() == [1.0] * 4
    assert row.weight == 0.5 and row.behaviour_log_probs is None and row.trajectory is None
