"""Answers given again with what was revealed: what is asked, and what is learnt of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from unit.hindsight.fakes import (
    FAILURE,
    ITEM,
    SUCCESS,
    FakeScorer,
    attempt,
    dialogue,
    group_of,
    keys_of,
    made_by,
    make_rows,
    values,
)

from backsight.errors import ConfigError
from backsight.hindsight.catalogue import ChainOptions, RouteOptions
from backsight.hindsight.options import OutcomeOptions
from backsight.hindsight.response.options import ReviseOptions
from backsight.types import Action, Feedback, Group, Observation, Trajectory


def scorer(**rewards: float) -> FakeScorer:
    """Samples the last word of what it is told; the answers named earn so much, and succeed above 0."""

    def verdict(trajectory: Trajectory) -> Feedback:
        reward = rewards.get(trajectory.steps[0].action.text or "", 0.0)
        return Feedback(reward=reward, success=reward > 0)

    return FakeScorer(answer=lambda prompt: str(prompt).split()[-1], verdict=verdict)


class TestRationalise:
    def test_failures_are_sampled_with_the_gold_answer_and_imitated_without(self) -> None:
        asked: list[Observation] = []

        def answer(prompt: Observation) -> str:
            asked.append(prompt)
            return "gold"

        wise = scorer(gold=1.0)
        wise.answer = answer
        right, wrong = attempt((3, 4), SUCCESS, start=ITEM), attempt((5,), FAILURE, start=ITEM)
        group = group_of(right, wrong, start=ITEM)
        options = ReviseOptions(mode="rationalise", outcome_weight=0.0, weight=0.5)
        rows = make_rows(options, group, scorer=wise)
        assert asked == ["A correct answer: gold\nasked"]
        assert [(row.prompts, row.responses) for row in rows] == [
            (("asked",), ((3, 4),)),
            (("asked",), (tuple(map(ord, "gold")),)),
        ]
        assert keys_of(rows) == [(0, 0), (0, 1)]
        for row in rows:
            assert row.advantages is None and row.behaviour_log_probs is None and row.weight == 0.5
            assert values(row.imitation_weights) == [1.0] * row.num_decisions

    def test_a_revision_that_is_wrong_is_left_out(self) -> None:
        group = group_of(attempt((5,), FAILURE, start=ITEM), start=ITEM)
        options = ReviseOptions(mode="rationalise", outcome_weight=0.0)
        assert make_rows(options, group, scorer=scorer(other=1.0)) == []

    def test_without_a_gold_answer_a_siblings_success_is_the_hint(self) -> None:
        right, wrong = attempt((3,), SUCCESS, text="blue"), attempt((5,), FAILURE, text="red")
        options = ReviseOptions(mode="rationalise", outcome_weight=0.0, template="{prompt} {hint}", introduce=False)
        rows = make_rows(options, group_of(wrong, right), scorer=scorer(blue=1.0))
        assert [row.responses for row in rows] == [((3,),), (tuple(map(ord, "blue")),)]

    def test_an_attempt_that_is_right_is_one_row_with_its_policy_gradient(self) -> None:
        group = group_of(attempt(feedback=SUCCESS), attempt(feedback=FAILURE, text=None))
        rows = make_rows(ReviseOptions(mode="rationalise"), group, scorer=scorer())
        both = [row for row in rows if row.imitation_weights is not None]
        assert [row.method for row in both] == ["outcome+revise"]
        assert values(both[0].advantages) == [0.5, 0.5]


class TestFeedback:
    def test_revisions_are_compared_with_the_mean_of_the_attempts(self) -> None:
        told, silent = Feedback(reward=0.2, success=False, text="say no"), Feedback(reward=0.6, success=False)
        group = group_of(attempt((1,), told), attempt((2,), silent))
        options = ReviseOptions(template="{prompt} {hint}", weight=2.0)
        rows = made_by("revise", make_rows(options, group, scorer=scorer(no=1.0)))
        assert [row.responses for row in rows] == [(tuple(map(ord, "no")),)]
        assert values(rows[0].advantages) == [0.6, 0.6]  # 1 - (0.2 + 0.6)/2
        assert rows[0].behaviour_log_probs is None and rows[0].shaping is None and rows[0].weight == 2.0
        assert rows[0].prompts == ("asked",) and keys_of(rows) == [(0, 0)]

    def test_the_revision_sees_the_attempt_and_what_was_said_of_it(self) -> None:
        told = Feedback(success=False, text="too long")
        asked: list[Observation] = []
        wise = FakeScorer(answer=lambda prompt: asked.append(prompt) or "x")  # type: ignore[func-returns-value]
        messages = [{"role": "user", "content": "hello"}]
        chat = group_of(attempt(feedback=told, text="abc", prompt=messages))
        words = group_of(attempt(feedback=told, text="abc", prompt="hello"))
        make_rows(ReviseOptions(), chat, scorer=wise)
        make_rows(ReviseOptions(mode="critique"), words, scorer=wise)
        make_rows(ReviseOptions(introduce=False), words, scorer=wise)
        said = "What was said of an earlier answer: too long\nhello"
        assert asked == [
            [{"role": "user", "content": f"An earlier answer: abc\n{said}"}],
            f"An earlier answer, wrong: abc\n{said}",
            "abc\ntoo long\nhello",
        ]

    def test_the_gold_answer_is_not_revealed(self) -> None:
        told = attempt(feedback=Feedback(success=False, text="say no"), start=ITEM)
        options = ReviseOptions(template="{prompt} {hint}")
        (row,) = made_by("revise", make_rows(options, group_of(told, start=ITEM), scorer=scorer()))
        assert row.responses == (tuple(map(ord, "no")),)

    def test_attempts_keep_their_advantages(self) -> None:
        group = group_of(attempt((1,), Feedback(reward=0.0, text="no")), attempt((2,), Feedback(reward=1.0)))
        rows = made_by("outcome", make_rows(ReviseOptions(), group, scorer=scorer()))
        assert [values(row.advantages) for row in rows] == [[-0.5], [0.5]]

    def test_failed_attempts_are_revised_first(self) -> None:
        group = group_of(
            attempt((1,), Feedback(success=True, text="fine")),
            attempt((2,), Feedback(success=False, text="bad")),
            attempt((3,), Feedback(success=False, text="worse")),
        )
        rows = made_by("revise", make_rows(ReviseOptions(max_revisions=2), group, scorer=scorer()))
        assert keys_of(rows) == [(0, 1), (0, 2)]

    def test_all_groups_are_sampled_and_judged_at_once(self) -> None:
        calls: list[int] = []

        class Counting(FakeScorer):
            def sample(self, prompts: Sequence[Observation]) -> list[Action]:
                calls.append(len(prompts))
                return super().sample(prompts)

        told = Feedback(text="no", success=False)
        groups = [group_of(attempt(feedback=told)), Group("start"), group_of(attempt(feedback=told), attempt())]
        rows = made_by("revise", make_rows(ReviseOptions(), *groups, scorer=Counting(verdict=lambda _: SUCCESS)))
        assert calls == [2]
        assert keys_of(rows) == [(0, 0), (2, 0)]


class TestCritique:
    def test_attempts_and_revisions_share_one_mean(self) -> None:
        group = group_of(attempt((1,), FAILURE, start=ITEM), attempt((2,), FAILURE, start=ITEM), start=ITEM)
        options = ReviseOptions(mode="critique", template="{prompt} {hint}", max_revisions=1)
        rows = make_rows(options, group, scorer=scorer(gold=1.0))
        # rewards 0, 0 and 1: the mean is 1/3
        assert [values(row.advantages) for row in made_by("outcome", rows)] == [[-0.33333], [-0.33333]]
        (revised,) = made_by("revise", rows)
        assert values(revised.advantages) == [0.66667] * 4
        assert revised.shaping == 0.1 and revised.behaviour_log_probs is None

    def test_a_group_without_revisions_keeps_the_estimators_advantages(self) -> None:
        """Nothing was revealed of it."""
        silent = Group("start", (attempt(),), (torch.tensor([7.0, 7.0]),))
        told = group_of(attempt(feedback=Feedback(text="no", success=False)))
        rows = made_by("outcome", make_rows(ReviseOptions(mode="critique"), silent, told, scorer=scorer()))
        assert values(rows[0].advantages) == [7.0, 7.0]


@pytest.mark.parametrize("mode", ["rationalise", "feedback", "critique"])
class TestEveryMode:
    @pytest.mark.parametrize("groups", [[], [Group(ITEM)]])
    def test_nothing_to_revise(self, mode: Any, groups: list[Group]) -> None:
        assert make_rows(ReviseOptions(mode=mode), *groups, scorer=scorer()) == []

    def test_several_steps_are_not_revised(self, mode: Any) -> None:
        rows = make_rows(ReviseOptions(mode=mode), group_of(dialogue(), start=ITEM), scorer=scorer())
        assert [row.method for row in rows] == ["outcome"]

    def test_a_lone_failure_of_which_nothing_was_revealed(self, mode: Any) -> None:
        rows = make_rows(ReviseOptions(mode=mode), group_of(attempt(feedback=FAILURE)), scorer=scorer())
        assert made_by("revise", rows) == []

    def test_with_other_methods(self, mode: Any) -> None:
        group = group_of(attempt((1,), FAILURE, start=ITEM), attempt((2,), SUCCESS, start=ITEM), start=ITEM)
        revise = ReviseOptions(mode=mode, template="{prompt} {hint}")
        route = RouteOptions(then=OutcomeOptions(), otherwise=revise)
        rows = make_rows(ChainOptions(methods=(route, OutcomeOptions())), group, scorer=scorer(gold=1.0))
        assert sum("revise" in row.method for row in rows) == 1


def test_the_template_of_a_revision_needs_a_place_for_the_hint() -> None:
    with pytest.raises(ConfigError, match="template"):
        ReviseOptions(template="{prompt}").build()
