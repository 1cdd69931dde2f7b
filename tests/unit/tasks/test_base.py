"""Items, a task with prompts and a judge, its episodes of one turn, and its judge as a source of feedback."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from backsight.errors import DataError, RewardError
from backsight.tasks.base import (
    Item,
    LazyItems,
    PromptTask,
    SingleTurn,
    TaskVerifier,
    completion_text,
    draw_items,
    find_split,
    generate_items,
)
from backsight.types import Action, Feedback, Step, Trajectory

ITEM = Item(id="7", prompt="say yes", target="yes")


class Obedience(PromptTask):
    """Say the last word of the prompt."""

    name = "obedience"

    def items(self, split: str) -> Sequence[Item]:
        return [ITEM]

    def judge(self, item: Item, completion: str) -> Feedback:
        if completion == "crash":
            raise KeyError("no such word")
        if completion == "nan":
            return Feedback(reward=math.nan)
        is_right = completion == item.target
        return Feedback(reward=float(is_right), success=is_right, sources=(self.name,))

    def relabel_prompt(self, item: Item, completion: str, seed: int) -> str | None:
        return f"say {completion} ({seed})" if completion else None


def attempt(*texts: str | None, is_cut_off: bool = False) -> Trajectory:
    steps = [
        Step(ITEM.prompt, Action((1, 2), torch.zeros(2), text=text), terminated=not is_cut_off, truncated=is_cut_off)
        for text in texts
    ]
    return Trajectory(start=ITEM, steps=tuple(steps))


def test_a_success_has_no_other_goal_and_a_failure_has_the_one_it_achieved() -> None:
    success, failure, silence = TaskVerifier(Obedience())([attempt("yes"), attempt("no"), attempt("")], seeds=range(3))
    assert success == Feedback(reward=1.0, success=True, sources=("obedience",))
    assert (failure.reward, failure.success, failure.sources) == (0.0, False, ("obedience",))
    assert failure.achieved_prompts is not None
    assert len(failure.achieved_prompts) == 1
    assert failure.achieved_prompts[0].startswith("say no (")
    assert silence.achieved_prompts is None


def test_the_choice_of_the_goal_depends_on_the_seed_and_on_nothing_else() -> None:
    verify = TaskVerifier(Obedience())
    attempts = [attempt("no")] * 3
    goals = [feedback.achieved_prompts for feedback in verify(attempts, seeds=[1, 2, 3])]
    assert len(set(goals)) == 3
    assert goals == [feedback.achieved_prompts for feedback in verify(attempts, seeds=[1, 2, 3])]
    assert not set(goals) & {feedback.achieved_prompts for feedback in verify(attempts, seeds=[4, 5, 6])}


def test_a_longer_episode_is_judged_by_its_last_words_and_gets_no_goal() -> None:
    feedback = TaskVerifier(Obedience())([attempt("no", "yes"), attempt("yes", "no")], seeds=range(2))
    assert [each.success for each in feedback] == [True, False]
    assert [each.achieved_prompts for each in feedback] == [None, None]


def test_an_attempt_that_was_cut_off_achieved_nothing() -> None:
    (feedback,) = TaskVerifier(Obedience())([attempt("no", is_cut_off=True)], seeds=range(1))
    assert feedback.success is False and feedback.achieved_prompts is None


def test_a_judge_that_raises_is_named_with_task_and_item() -> None:
    with pytest.raises(RewardError, match="task 'obedience': item 7: .*KeyError: 'no such word'") as caught:
        TaskVerifier(Obedience())([attempt("yes"), attempt("crash")], seeds=range(2))
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_reward_that_is_no_number_is_refused() -> None:
    with pytest.raises(RewardError, match="task 'obedience': item 7: .*nan"):
        TaskVerifier(Obedience())([attempt("nan")], seeds=range(1))


def test_an_action_without_text_cannot_be_judged() -> None:
    with pytest.raises(RewardError, match="language model"):
        TaskVerifier(Obedience())([attempt(None)], seeds=range(1))


def test_the_completion_is_what_was_said_last() -> None:
    assert completion_text(attempt("no", " yes")) == " yes"


def test_a_task_of_prompts_has_episodes_of_a_single_turn_and_its_judge_as_feedback() -> None:
    task = Obedience()
    episode = task.episode(ITEM)
    assert isinstance(episode, SingleTurn) and isinstance(task.feedback(), TaskVerifier)
    assert episode.reset() == ITEM.prompt
    ends = [episode.step(Action((1,), torch.zeros(1), "yes", is_truncated=is_cut)) for is_cut in (False, True)]
    assert [(end.reward, end.terminated, end.truncated) for end in ends] == [(None, True, False), (None, False, True)]


def test_gold_answers_get_full_marks_or_the_row_is_named() -> None:
    class Strict(Obedience):
        """Wants more than the gold answers have."""

        full_marks = 2.0

    assert Obedience().validate("train") == 1
    with pytest.raises(DataError, match="^train/7.target: yes: the gold answer scores 1.0, not 2.0"):
        Strict().validate("train")


def test_items_are_drawn_from_all_of_them_and_always_the_same() -> None:
    items = LazyItems(10_000, lambda number: Item(str(number), "p"))
    drawn = [int(item.id) for item in draw_items(items, 200)]
    assert drawn == sorted(set(drawn)) == [int(item.id) for item in draw_items(items, 200)]
    assert len(drawn) == 200 and 60 <= sum(number < 5000 for number in drawn) <= 140
    assert [item.id for item in draw_items(items[:3], 5)] == ["0", "1", "2"]


def test_gold_answers_are_graded_all_over_a_split() -> None:
    class Wrong(Obedience):
        """Rows of which the later half is wrong."""

        def items(self, split: str) -> Sequence[Item]:
            return [Item(str(number), "say yes", "yes") for number in range(300)] + [Item("x", "p", "crash")] * 300

        def judge(self, item: Item, completion: str) -> Feedback:
            return Feedback(reward=float(completion == "yes"))

    with pytest.raises(DataError, match="train/x"):
        Wrong().validate("train")


def test_an_item_without_a_gold_answer_may_stay_unscored() -> None:
    class Silent(Obedience):
        """A judge that has nothing to say."""

        def judge(self, item: Item, completion: str) -> Feedback:
            return Feedback()

    unknown = replace(attempt("yes"), start=Item("8", "say something"))
    assert TaskVerifier(Silent())([unknown], [0])[0].reward is None
    with pytest.raises(RewardError, match="item 7"):
        TaskVerifier(Silent())([attempt("yes")], [0])


def test_lazy_items_are_made_when_they_are_asked_for() -> None:
    made: list[int] = []

    def make(number: int) -> Item:
        made.append(number)
        return Item(str(number), "p")

    items = LazyItems(5, make)
    assert (len(items), made) == (5, [])
    assert (items[3].id, items[-1].id, [each.id for each in items[1:3]]) == ("3", "4", ["1", "2"])
    assert made == [3, 4, 1, 2]
    for index in (5, -6):
        with pytest.raises(IndexError):
            items[index]


def test_generated_items_have_streams_and_names_of_their_own() -> None:
    one, two = (generate_items(name, 3, lambda rng, name: Item(name, str(rng.random()))) for name in ("train", "test"))
    assert [item.id for item in one] == ["train-0", "train-1", "train-2"]
    assert len({item.prompt for item in [*one, *two]}) == 6
    assert one[2] == one[-1] == list(one)[2]


def test_a_split_that_is_not_there_is_told_the_nearest() -> None:
    assert find_split({"train": 1, "test": 2}, "test") == 2
    with pytest.raises(DataError, match=r"^split: tests: did you mean 'test'\?$"):
        find_split({"train": 1, "test": 2}, "tests")
