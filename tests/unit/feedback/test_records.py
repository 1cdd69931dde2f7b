"""Reward functions that say more than a number."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from backsight.errors import RewardError
from backsight.feedback.combined import Combined
from backsight.feedback.judge import Judge
from backsight.feedback.pool import FeedbackPool
from backsight.feedback.reward_functions import RewardFunctions
from backsight.tasks.base import Item
from backsight.types import Action, Feedback, Group, Step, Trajectory

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name a fruit."}]


def attempt(*prompts: Any) -> Trajectory:
    steps = tuple(Step(prompt, Action((1,), torch.zeros(1), text="an answer")) for prompt in prompts)
    return Trajectory(start=Item("1", prompts[0]), steps=steps)


def saying(record: Any, name: str = "f") -> Any:
    def function(completions: list[Any], **columns: Any) -> list[Any]:
        return [record] * len(completions)

    function.__name__ = name
    return function


def said(*records: Any, on: Trajectory | None = None, **arguments: Any) -> Feedback:
    functions = [saying(record, name) for record, name in zip(records, "fghi", strict=False)]
    (feedback,) = RewardFunctions(functions, **arguments)([on or attempt("asked")], [0])
    return feedback


def test_a_record_says_all_that_is_known() -> None:
    record = {
        "reward": np.float32(0.5),
        "success": np.bool_(False),
        "text": "too long",
        "correction": "apple",
        "achieved_prompt": "Write two words.",
        "outcome": "nobody read it",
        "rewards": {"length": torch.tensor(2)},
    }
    assert said(record, weights=[3]) == Feedback(
        rewards={"f": 0.5, "length": 2.0},
        reward=1.5,
        success=False,
        text="too long",
        correction="apple",
        achieved_prompts=("Write two words.",),
        outcome="nobody read it",
        sources=("f",),
    )


@pytest.mark.parametrize("nothing", [None, {}, {"reward": None, "text": "  ", "achieved_prompt": "", "rewards": {}}])
def test_a_record_of_nothing_is_no_score(nothing: Any) -> None:
    assert said(nothing, full_marks=1.0) == Feedback()
    assert said(nothing, 1.0) == Feedback(rewards={"g": 1.0}, reward=1.0, sources=("g",))


def test_words_without_a_reward_leave_an_attempt_unscored() -> None:
    feedback = said({"text": "hm"}, full_marks=0.0)
    assert (feedback.reward, feedback.success, feedback.text, feedback.sources) == (None, None, "hm", ("f",))


def test_rewards_add_up_comments_join_and_else_the_first_is_heard() -> None:
    feedback = said(
        {"reward": 1, "text": "one", "rewards": {"a": 1}},
        2.0,
        {"reward": 4, "text": "two", "correction": "c2", "outcome": "o2", "achieved_prompt": "p2"},
        {"text": "three", "correction": "c3", "outcome": "o3", "achieved_prompt": "p3", "rewards": {"b": 2}},
        weights=[1, 10, 0, 100],
    )
    assert feedback.reward == 1 + 10 * 2.0
    assert feedback.rewards == {"f": 1.0, "g": 2.0, "h": 4.0, "a": 1.0, "b": 2.0}
    assert (feedback.text, feedback.correction, feedback.outcome) == ("one\ntwo\nthree", "c2", "o2")
    assert feedback.achieved_prompts == ("p2",)
    assert feedback.sources == ("f", "g", "h", "i")


@pytest.mark.parametrize(
    ("verdicts", "success"), [((True, True), True), ((True, False), False), ((None, True), True), ((None, None), None)]
)
def test_what_is_doubtful_is_no_success(verdicts: Sequence[bool | None], success: bool | None) -> None:
    records = [{"success": each} for each in verdicts]
    assert said(*records).success is success
    assert said(*reversed(records)).success is success


def test_a_verdict_goes_before_full_marks() -> None:
    assert said({"reward": 1.0, "success": False}, full_marks=1.0).success is False
    assert said({"reward": 1.0}, full_marks=1.0).success is True


def test_an_achieved_prompt_has_the_form_of_the_prompt_that_was_asked() -> None:
    assert said({"achieved_prompt": "Name a tree."}, on=attempt(CHAT)).achieved_prompts == (
        [CHAT[0], {"role": "user", "content": "Name a tree."}],
    )
    messages = [{"role": "user", "content": "Name a tree."}]
    assert said({"achieved_prompt": messages}, on=attempt(CHAT)).achieved_prompts == (messages,)
    with pytest.raises(RewardError, match=r"^reward function 'f', 'achieved_prompt': .*: the prompts are text; give"):
        said({"achieved_prompt": messages})


def test_of_several_steps_each_has_its_prompt() -> None:
    dialogue = attempt("first", "first second")
    assert said({"achieved_prompt": ["a", "a b"]}, on=dialogue).achieved_prompts == ("a", "a b")
    with pytest.raises(RewardError, match=r"'g', 'achieved_prompt': 1 for an episode of 2 steps: give a list with one"):
        said(None, {"achieved_prompt": "a"}, on=dialogue)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"rewrd": 1}, "returned the key 'rewrd' for completion 0: did you mean 'reward'?"),
        ({3: 1}, "returned the key 3 for completion 0: known: achieved_prompt, correction"),
        ({"reward": "1"}, "'reward' of completion 0: '1': a reward is a finite number"),
        ({"reward": 1e39}, "'reward' of completion 0: 1e+39: is beyond what float32 holds"),
        ({"success": "yes"}, "'success' of completion 0: 'yes': give True or False"),
        ({"text": ["no"]}, "'text' of completion 0: ['no']: give text, or None"),
        ({"correction": 5}, "'correction' of completion 0: 5: give text, or None"),
        ({"outcome": b"x"}, "'outcome' of completion 0: b'x': give text, or None"),
        ({"achieved_prompt": 5}, "'achieved_prompt' of completion 0: 5: give text or messages"),
        ({"achieved_prompt": [{"role": "user"}]}, "'achieved_prompt' of completion 0: [{'role': 'user'}]: give text"),
        ({"achieved_prompt": []}, "'achieved_prompt' of completion 0: []: give text or messages"),
        ({"rewards": [1]}, "'rewards' of completion 0: [1]: give numbers by name"),
        ({"rewards": {"a": None}}, "'rewards' of completion 0, a: None: a reward is a finite number"),
    ],
)
def test_a_broken_record_is_attributed_to_its_function(record: Any, message: str) -> None:
    async def late(completions: list[str]) -> list[Any]:
        await asyncio.sleep(0)
        return [record]

    for function in (saying(record, "late"), late):
        with pytest.raises(RewardError) as caught:
            RewardFunctions([saying(1.0), function])([attempt("asked")], [0])
        separator = ": " if message.startswith("returned") else ", "
        assert str(caught.value).startswith(f"reward function 'late'{separator}{message}")


def test_a_name_that_is_taken_is_refused() -> None:
    for records in ([{"reward": 1, "rewards": {"f": 1}}], [1.0, {"rewards": {"f": 1}}]):
        with pytest.raises(RewardError, match="reward 'f': given by two sources: give one of them another name"):
            said(*records)


def test_asynchronous_functions_and_threads_hand_on_what_is_said() -> None:
    async def slow(completions: list[str]) -> list[Any]:
        await asyncio.sleep(0)
        return [{"text": "slow", "success": True}] * len(completions)

    pool = FeedbackPool(RewardFunctions([slow, saying({"reward": 1, "outcome": "rain"})]), timeout=10, workers=2)
    groups = [(number, Group("s", (attempt("asked"),) * 2)) for number in range(8)]
    for group in pool.wait(pool.submit(groups, len(groups), seed=0)):
        for each in group.trajectories:
            assert (each.feedback.text, each.feedback.success, each.feedback.outcome) == ("slow", True, "rain")


def test_a_judge_behind_a_function_sees_what_it_said() -> None:
    asked: list[str] = []

    def judge(questions: Sequence[Any]) -> list[str]:
        asked.extend(question[-1]["content"] for question in questions)
        return ["Could be kinder.\nRating: 3"] * len(questions)

    first = RewardFunctions([saying({"text": "too long", "outcome": "nobody read it", "achieved_prompt": "p"})])
    (feedback,) = Combined([first, Judge(judge, comments=True)])([attempt("asked")], [0])
    assert '"outcome": "nobody read it"' in asked[0] and '"said of it": "too long"' in asked[0]
    assert (feedback.reward, feedback.text) == (0.5, "too long\nCould be kinder.")
    assert feedback.achieved_prompts == ("p",)
