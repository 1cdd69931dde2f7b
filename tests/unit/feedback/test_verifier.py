"""A task's judge as a source of feedback."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch

from backsight.errors import RewardError
from backsight.feedback.verifier import TaskVerifier
from backsight.tasks.base import Item, Task
from backsight.types import Action, Feedback, Step, Trajectory

ITEM = Item(id="7", prompt="say yes", target="yes")


class Obedience(Task):
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

    def relabelled(self, item: Item, completion: str, seed: int) -> str | None:
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
    assert failure.achieved_goal is not None
    assert len(failure.achieved_goal) == 1
    assert failure.achieved_goal[0].startswith("say no (")
    assert silence.achieved_goal is None


def test_the_choice_of_the_goal_depends_on_the_seed_and_on_nothing_else() -> None:
    verify = TaskVerifier(Obedience())
    attempts = [attempt("no")] * 3
    goals = [feedback.achieved_goal for feedback in verify(attempts, seeds=[1, 2, 3])]
    assert len(set(goals)) == 3
    assert goals == [feedback.achieved_goal for feedback in verify(attempts, seeds=[1, 2, 3])]
    assert not set(goals) & {feedback.achieved_goal for feedback in verify(attempts, seeds=[4, 5, 6])}


def test_a_longer_episode_is_judged_by_its_last_words_and_gets_no_goal() -> None:
    feedback = TaskVerifier(Obedience())([attempt("no", "yes"), attempt("yes", "no")], seeds=range(2))
    assert [each.success for each in feedback] == [True, False]
    assert [each.achieved_goal for each in feedback] == [None, None]


def test_an_attempt_that_was_cut_off_achieved_nothing() -> None:
    (feedback,) = TaskVerifier(Obedience())([attempt("no", is_cut_off=True)], seeds=range(1))
    assert feedback.success is False and feedback.achieved_goal is None


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
