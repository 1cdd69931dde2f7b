"""Methods that change the response: revise, gold_anchor, supervised, recorded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from unit.hindsight.fakes import ROOM, FakeScorer, attempt, group_of

from backsight.errors import ConfigError, DataError
from backsight.hindsight.composition import Chain, Route, succeeded
from backsight.hindsight.gold_anchor import GoldAnchor
from backsight.hindsight.outcome import Outcome
from backsight.hindsight.recorded import Recorded
from backsight.hindsight.revise import Revise
from backsight.hindsight.supervised import Supervised
from backsight.tasks.base import Item
from backsight.types import Action, Example, Feedback, Group, Observation, Step, Trajectory

ITEM = Item("1", "asked", "gold")
RIGHT, WRONG = Feedback(reward=1.0, success=True), Feedback(reward=0.0, success=False)


def dialogue(feedback: Feedback = WRONG) -> Trajectory:
    action = Action((1,), torch.zeros(1), "said")
    return Trajectory(ITEM, (Step("one", action), Step("two", action, terminated=True)), feedback)


def scorer(**rewards: float) -> FakeScorer:
    """Samples the last word of what it is told; the answers named earn so much, and succeed above 0."""

    def verdict(trajectory: Trajectory) -> Feedback:
        reward = rewards.get(trajectory.steps[0].action.text or "", 0.0)
        return Feedback(reward=reward, success=reward > 0)

    return FakeScorer(answer=lambda prompt: str(prompt).split()[-1], verdict=verdict)


def made_by(method: str, examples: Sequence[Example]) -> list[Example]:
    return [each for each in examples if each.method == method]


def values(tensor: torch.Tensor | None) -> list[float]:
    assert tensor is not None
    return [round(value, 5) for value in tensor.tolist()]


class TestRationalise:
    def test_failures_are_sampled_with_the_gold_answer_and_imitated_without(self) -> None:
        asked: list[Observation] = []

        def answer(prompt: Observation) -> str:
            asked.append(prompt)
            return "gold"

        wise = scorer(gold=1.0)
        wise.answer = answer
        right, wrong = attempt((3, 4), RIGHT, start=ITEM), attempt((5,), WRONG, start=ITEM)
        group = group_of(right, wrong, start=ITEM)
        rows = Revise("rationalise", outcome_weight=0.0, weight=0.5)([group], wise)
        assert asked == ["A correct answer: gold\nasked"]
        assert [(row.prompts, row.responses) for row in rows] == [
            (("asked",), ((3, 4),)),
            (("asked",), (tuple(map(ord, "gold")),)),
        ]
        assert [row.trajectory for row in rows] == [right, wrong]
        for row in rows:
            assert row.advantages is None and row.behaviour_log_probs is None and row.weight == 0.5
            assert values(row.imitation_weights) == [1.0] * row.num_decisions

    def test_a_revision_that_is_wrong_is_left_out(self) -> None:
        group = group_of(attempt((5,), WRONG, start=ITEM), start=ITEM)
        assert Revise("rationalise", outcome_weight=0.0)([group], scorer(other=1.0)) == []

    def test_without_a_gold_answer_a_siblings_success_is_the_hint(self) -> None:
        right, wrong = attempt((3,), RIGHT, text="blue"), attempt((5,), WRONG, text="red")
        method = Revise("rationalise", outcome_weight=0.0, template="{prompt} {hint}", introduce=False)
        rows = method([group_of(wrong, right)], scorer(blue=1.0))
        assert [row.responses for row in rows] == [((3,),), (tuple(map(ord, "blue")),)]

    def test_an_attempt_that_is_right_is_one_row_with_its_policy_gradient(self) -> None:
        rows = Revise("rationalise")([group_of(attempt(feedback=RIGHT), attempt(feedback=WRONG, text=None))], scorer())
        both = [row for row in rows if row.imitation_weights is not None]
        assert [row.method for row in both] == ["outcome+revise"]
        assert values(both[0].advantages) == [0.5, 0.5]


class TestFeedback:
    def test_revisions_are_compared_with_the_mean_of_the_attempts(self) -> None:
        told, silent = Feedback(reward=0.2, success=False, text="say no"), Feedback(reward=0.6, success=False)
        group = group_of(attempt((1,), told), attempt((2,), silent))
        method = Revise(template="{prompt} {hint}", weight=2.0)
        rows = made_by("revise", method([group], scorer(no=1.0)))
        assert [row.responses for row in rows] == [(tuple(map(ord, "no")),)]
        assert values(rows[0].advantages) == [0.6, 0.6]  # 1 - (0.2 + 0.6)/2
        assert rows[0].behaviour_log_probs is None and rows[0].shaping is None and rows[0].weight == 2.0
        assert rows[0].prompts == ("asked",) and rows[0].trajectory is group.trajectories[0]

    def test_the_revision_sees_the_attempt_and_what_was_said_of_it(self) -> None:
        told = Feedback(success=False, text="too long")
        asked: list[Observation] = []
        wise = FakeScorer(answer=lambda prompt: asked.append(prompt) or "x")  # type: ignore[func-returns-value]
        messages = [{"role": "user", "content": "hello"}]
        Revise()([group_of(attempt(feedback=told, text="abc", prompt=messages))], wise)
        Revise("critique")([group_of(attempt(feedback=told, text="abc", prompt="hello"))], wise)
        Revise(introduce=False)([group_of(attempt(feedback=told, text="abc", prompt="hello"))], wise)
        said = "What was said of an earlier answer: too long\nhello"
        assert asked == [
            [{"role": "user", "content": f"An earlier answer: abc\n{said}"}],
            f"An earlier answer, wrong: abc\n{said}",
            "abc\ntoo long\nhello",
        ]

    def test_the_gold_answer_is_not_revealed(self) -> None:
        told = attempt(feedback=Feedback(success=False, text="say no"), start=ITEM)
        method = Revise(template="{prompt} {hint}")
        (row,) = made_by("revise", method([group_of(told, start=ITEM)], scorer()))
        assert row.responses == (tuple(map(ord, "no")),)

    def test_attempts_keep_their_advantages(self) -> None:
        group = group_of(attempt((1,), Feedback(reward=0.0, text="no")), attempt((2,), Feedback(reward=1.0)))
        rows = made_by("outcome", Revise()([group], scorer()))
        assert [values(row.advantages) for row in rows] == [[-0.5], [0.5]]

    def test_failed_attempts_are_revised_first(self) -> None:
        group = group_of(
            attempt((1,), Feedback(success=True, text="fine")),
            attempt((2,), Feedback(success=False, text="bad")),
            attempt((3,), Feedback(success=False, text="worse")),
        )
        rows = made_by("revise", Revise(max_revisions=2)([group], scorer()))
        assert [row.trajectory for row in rows] == list(group.trajectories[1:])

    def test_all_groups_are_sampled_and_judged_at_once(self) -> None:
        calls: list[int] = []

        class Counting(FakeScorer):
            def sample(self, prompts: Sequence[Observation]) -> list[Action]:
                calls.append(len(prompts))
                return super().sample(prompts)

        told = Feedback(text="no", success=False)
        groups = [group_of(attempt(feedback=told)), Group("start"), group_of(attempt(feedback=told), attempt())]
        rows = made_by("revise", Revise()(groups, Counting()))
        assert calls == [2]
        assert [row.trajectory for row in rows] == [groups[0].trajectories[0], groups[2].trajectories[0]]


class TestCritique:
    def test_attempts_and_revisions_share_one_mean(self) -> None:
        group = group_of(attempt((1,), WRONG, start=ITEM), attempt((2,), WRONG, start=ITEM), start=ITEM)
        method = Revise("critique", template="{prompt} {hint}", max_revisions=1)
        rows = method([group], scorer(gold=1.0))
        # rewards 0, 0 and 1: the mean is 1/3
        assert [values(row.advantages) for row in made_by("outcome", rows)] == [[-0.33333], [-0.33333]]
        (revised,) = made_by("revise", rows)
        assert values(revised.advantages) == [0.66667] * 4
        assert revised.shaping == 0.1 and revised.behaviour_log_probs is None

    def test_a_group_without_revisions_keeps_the_estimators_advantages(self) -> None:
        """Nothing was revealed of it."""
        silent = Group("start", (attempt(),), (torch.tensor([7.0, 7.0]),))
        told = group_of(attempt(feedback=Feedback(text="no", success=False)))
        rows = made_by("outcome", Revise("critique")([silent, told], scorer()))
        assert values(rows[0].advantages) == [7.0, 7.0]


@pytest.mark.parametrize("mode", ["rationalise", "feedback", "critique"])
class TestEveryMode:
    @pytest.mark.parametrize("groups", [[], [Group(ITEM)]])
    def test_nothing_to_revise(self, mode: Any, groups: list[Group]) -> None:
        assert Revise(mode)(groups, scorer()) == []

    def test_several_steps_are_not_revised(self, mode: Any) -> None:
        rows = Revise(mode)([group_of(dialogue(), start=ITEM)], scorer())
        assert [row.method for row in rows] == ["outcome"]

    def test_a_lone_failure_of_which_nothing_was_revealed(self, mode: Any) -> None:
        assert made_by("revise", Revise(mode)([group_of(attempt(feedback=WRONG))], scorer())) == []

    def test_with_other_methods(self, mode: Any) -> None:
        group = group_of(attempt((1,), WRONG, start=ITEM), attempt((2,), RIGHT, start=ITEM), start=ITEM)
        revise = Revise(mode, template="{prompt} {hint}")
        method = Chain([Route(succeeded, Outcome(), revise), Outcome()])
        rows = method([group], scorer(gold=1.0))
        assert sum("revise" in row.method for row in rows) == 1


def test_the_template_of_a_revision_needs_a_place_for_the_hint() -> None:
    with pytest.raises(ConfigError, match="template"):
        Revise(template="{prompt}")


class TestGoldAnchor:
    def test_a_failed_group_is_compared_with_the_gold_answer(self) -> None:
        group = group_of(*(attempt((number,), WRONG, start=ITEM) for number in range(3)), start=ITEM)
        rows = GoldAnchor()([group], FakeScorer())
        # rewards 0, 0, 0 and 1: the mean is 1/4
        assert [values(row.advantages) for row in made_by("outcome", rows)] == [[-0.25]] * 3
        (gold,) = made_by("gold_anchor", rows)
        assert values(gold.advantages) == [0.75] * 4
        assert (gold.prompts, gold.responses) == (("asked",), (tuple(map(ord, "gold")),))
        assert gold.behaviour_log_probs is None and gold.shaping is None and gold.trajectory is None

    def test_only_failed_groups_change(self) -> None:
        """The others keep what methods before have made of their advantages, and a lone success its signal."""
        failed = group_of(attempt((1,), WRONG, start=ITEM), start=ITEM)
        won = Group(ITEM, (attempt((1,), WRONG, start=ITEM), attempt((2,), RIGHT, start=ITEM)))
        changed = Group(ITEM, won.trajectories, (torch.tensor([-3.0]), torch.tensor([3.0])))
        rows = GoldAnchor()([changed, failed], FakeScorer())
        assert [values(row.advantages) for row in made_by("outcome", rows)] == [[-3.0], [3.0], [-0.5]]
        assert len(made_by("gold_anchor", rows)) == 1

    def test_the_estimator_sees_the_whole_batch_once(self) -> None:
        """Some compare with the batch, and one learns from what it is asked about."""
        seen: list[int] = []

        class Watching(FakeScorer):
            def estimate(self, groups: Sequence[Group]) -> list[Group]:
                seen.append(sum(len(each.trajectories) for each in groups))
                return super().estimate(groups)

        won = group_of(attempt(feedback=RIGHT, start=ITEM), start=ITEM)
        failed = group_of(attempt(feedback=WRONG, start=ITEM), start=ITEM)
        GoldAnchor()([won, failed], Watching())
        assert seen == [3]

    def test_a_correction_stands_in_for_the_gold_answer(self) -> None:
        group = group_of(attempt(feedback=Feedback(success=False, correction="so")))
        (gold,) = made_by("gold_anchor", GoldAnchor(shaping=0.1)([group], FakeScorer()))
        assert gold.responses == (tuple(map(ord, "so")),)
        assert gold.shaping == 0.1

    @pytest.mark.parametrize(
        "group",
        [
            group_of(attempt(feedback=WRONG)),
            group_of(dialogue(), start=ITEM),
            group_of(attempt(feedback=RIGHT, start=ITEM), start=ITEM),
            Group(ITEM),
        ],
        ids=["no gold answer", "several steps", "a success", "nothing sampled"],
    )
    def test_groups_that_it_leaves_alone(self, group: Group) -> None:
        assert made_by("gold_anchor", GoldAnchor()([group], FakeScorer())) == []
        assert GoldAnchor().revalue([group], FakeScorer()) == [group]

    def test_no_groups(self) -> None:
        assert GoldAnchor()([], FakeScorer()) == []

    def test_an_answer_without_room_behind_its_prompt_does_not_join(self) -> None:
        item = Item("7", "asked", "x" * (ROOM + 1))
        group = group_of(attempt(feedback=WRONG, start=item), start=item)
        assert GoldAnchor().revalue([group], FakeScorer()) == [group]


class TestSupervised:
    def test_gold_answers_are_imitated(self) -> None:
        (row,) = Supervised()([Group(ITEM)], FakeScorer())
        assert (row.prompts, row.responses) == (("asked",), (tuple(map(ord, "gold")),))
        assert values(row.imitation_weights) == [1.0] * 4
        assert row.advantages is None and row.behaviour_log_probs is None

    def test_nothing_is_sampled_for_it(self) -> None:
        assert not Supervised().needs_rollouts
        assert Supervised()([], FakeScorer()) == []

    def test_a_row_without_gold_answer_is_an_error(self) -> None:
        with pytest.raises(DataError, match=r"7\.target: None: "):
            Supervised()([Group(Item("7", "asked"))], FakeScorer())

    def test_an_answer_without_room_behind_its_prompt_is_named(self) -> None:
        with pytest.raises(DataError, match=r"7\.target: .* are longer than the model's context"):
            Supervised()([Group(Item("7", "asked", "x" * (ROOM + 1)))], FakeScorer())


def logged(target: str | None = "turn", prompt: Observation = "asked", **columns: object) -> Group:
    return Group(Item("3", prompt, target, columns))


class TestRecorded:
    def test_rewards_are_compared_with_the_mean_of_the_data(self) -> None:
        (row,) = Recorded(reward_weight=2.0)([logged(reward=1.0, reward_mean=0.75)], FakeScorer())
        assert (row.prompts, row.responses) == (("asked",), (tuple(map(ord, "turn")),))
        assert values(row.advantages) == [0.5] * 4  # 2·(1 - 0.75)
        assert row.behaviour_log_probs is None and row.shaping is None
        assert row.imitation_weights is None and row.teacher_weights is None

    def test_what_is_pushed_away_fades(self) -> None:
        (row,) = Recorded()([logged(reward=0, reward_mean=0.5)], FakeScorer())
        assert values(row.advantages) == [-0.5] * 4 and row.shaping == 0.1

    def test_a_reward_of_nothing_is_a_reward(self) -> None:
        (row,) = Recorded(shaping=None)([logged(reward=0, reward_mean=0.5)], FakeScorer())
        assert values(row.advantages) == [-0.5] * 4
        assert row.shaping is None

    def test_corrections_are_imitated(self) -> None:
        (row,) = Recorded(correction_weight=3.0)([logged(correction="mended")], FakeScorer())
        assert row.responses == (tuple(map(ord, "mended")),)
        assert values(row.imitation_weights) == [1.0] * 6
        assert row.weight == 3.0 and row.advantages is None and row.shaping is None

    def test_feedback_in_words_makes_a_teacher(self) -> None:
        (row,) = Recorded(distill_weight=0.5)([logged(feedback="too long")], FakeScorer())
        assert row.teacher_prompts == ("What was said of an earlier answer: too long\nasked",)
        assert values(row.teacher_weights) == [0.5] * 4
        assert row.prompts == ("asked",) and row.advantages is None

    def test_chat_messages_are_informed_where_the_user_spoke_last(self) -> None:
        messages = [{"role": "user", "content": "hi"}]
        method = Recorded(distill_weight=1.0, introduce=False)
        (row,) = method([logged(feedback="rude", prompt=messages)], FakeScorer())
        assert row.teacher_prompts == ([{"role": "user", "content": "rude\nhi"}],)

    def test_reward_and_comment_are_one_row_and_the_correction_another(self) -> None:
        group = logged(reward=0.0, reward_mean=1.0, feedback="no", correction="yes")
        turn, correction = Recorded(distill_weight=1.0)([group], FakeScorer())
        assert values(turn.advantages) == [-1.0] * 4
        assert values(turn.teacher_weights) == [1.0] * 4
        assert correction.responses == (tuple(map(ord, "yes")),)

    def test_weights_of_zero_leave_their_part_out(self) -> None:
        group = logged(reward=1.0, feedback="no", correction="yes")
        assert [row.responses for row in Recorded(reward_weight=0.0)([group], FakeScorer())] == [
            (tuple(map(ord, "yes")),)
        ]
        (turn,) = Recorded(correction_weight=0.0)([group], FakeScorer())
        assert turn.teacher_weights is None

    def test_it_asks_for_a_teacher_only_to_distil(self) -> None:
        assert not Recorded().needs_teacher
        assert Recorded(distill_weight=0.1).needs_teacher
        assert not Recorded().needs_rollouts

    @pytest.mark.parametrize("groups", [[], [logged()], [logged(reward=None, feedback=" ", correction="")]])
    def test_a_turn_of_which_nothing_was_said(self, groups: list[Group]) -> None:
        assert Recorded(distill_weight=1.0)(groups, FakeScorer()) == []

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({"reward": "good"}, r"3\.reward: good: a reward is a finite number"),
            ({"reward": math.nan}, r"3\.reward: nan: a reward is a finite number"),
            ({"correction": 5}, r"3\.correction: 5: write it as text"),
            ({"target": None, "reward": 1.0}, r"3\.target: None: a turn that was judged needs its text"),
        ],
    )
    def test_a_column_that_is_not_what_it_should_be(self, columns: dict[str, Any], message: str) -> None:
        with pytest.raises(DataError, match=message):
            Recorded()([logged(**columns)], FakeScorer())

    def test_without_any_weight_there_is_nothing_to_learn(self) -> None:
        with pytest.raises(ConfigError, match="all weights are 0"):
            Recorded(reward_weight=0.0, correction_weight=0.0)
