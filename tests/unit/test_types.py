"""What is known of a trajectory and of rows without asking anybody."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch

from backsight.errors import RewardError
from backsight.types import Action, AttemptKey, Example, Feedback, Group, Sampling, Step, Trajectory, is_chat


def step(reward: float, log_probs: list[float], text: str | None = None, truncated: bool = False) -> Step:
    action = Action(tuple(range(len(log_probs))), torch.tensor(log_probs), text)
    return Step(f"p{len(log_probs)}", action, reward=reward, truncated=truncated)


EPISODE = Trajectory("start", (step(1.0, [-0.5, -0.25], " yes\n"), step(-2.0, [-1.0], None, truncated=True)))


@pytest.mark.parametrize(
    ("feedback", "rewards"),
    [
        (Feedback(), [1.0, -2.0]),
        (Feedback(reward=4.0), [1.0, 2.0]),
        (Feedback(step_rewards=(0.5, 0.25)), [0.5, 0.25]),
        (Feedback(step_rewards=(0.5, 0.25), reward=4.0), [0.5, 4.25]),
    ],
)
def test_what_was_judged_in_hindsight_replaces_what_was_paid(feedback: Feedback, rewards: list[float]) -> None:
    judged = EPISODE.with_feedback(feedback)
    assert judged.rewards == rewards
    assert judged.total_reward == sum(rewards)
    assert EPISODE.rewards == [1.0, -2.0] and EPISODE.feedback == Feedback()


@pytest.mark.parametrize(
    ("feedback", "succeeded"),
    [
        (Feedback(), False),
        (Feedback(reward=2.0), True),  # with 1 - 2 paid before: 1
        (Feedback(reward=1.5), False),
        (Feedback(reward=3.0, success=False), False),
        (Feedback(reward=-3.0, success=True), True),
    ],
)
def test_success_is_what_was_said_or_else_a_reward_at_the_threshold(feedback: Feedback, succeeded: bool) -> None:
    assert EPISODE.with_feedback(feedback).succeeded is succeeded


def test_the_decisions_of_an_episode_are_those_of_its_steps() -> None:
    assert EPISODE.num_decisions == 3
    assert EPISODE.behaviour_log_probs.tolist() == [-0.5, -0.25, -1.0]
    assert (EPISODE.prompts, EPISODE.responses, EPISODE.texts) == (("p2", "p1"), ((0, 1), (0,)), ("yes", ""))
    assert EPISODE.was_cut_off and not replace(EPISODE, steps=EPISODE.steps[:1]).was_cut_off


def test_a_key_stays_with_an_attempt() -> None:
    numbered = replace(EPISODE, key=AttemptKey(3, 1))
    assert EPISODE.key is None
    assert numbered.with_feedback(Feedback(reward=1.0)).key == (3, 1)


def test_a_row_has_as_many_decisions_as_weights() -> None:
    row = Example(("p",), ((1, 2),), "test")
    assert row.num_decisions == 0
    for name in ("advantages", "imitation_weights", "teacher_weights"):
        assert replace(row, **{name: torch.zeros(2)}).num_decisions == 2


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ([{"role": "user", "content": "hi", "name": "x"}], True),
        ([], False),
        ("hi", False),
        ([{"role": "user"}], False),
        ([{"role": "user", "content": ["hi"]}], False),
        ([{"role": "user", "content": "hi"}, "hi"], False),
    ],
)
def test_messages_have_a_role_and_a_content(value: Any, is_one: bool) -> None:
    assert is_chat(value) is is_one


def test_some_settings_rule_tokens_out() -> None:
    assert not Sampling(temperature=0.5, max_completion_length=9, repetition_penalty=2.0).is_truncated
    for ruling_out in ({"top_k": 1}, {"top_p": 0.9}, {"min_p": 0.1}, {"min_completion_length": 1}):
        assert Sampling(**ruling_out).is_truncated


def test_records_need_no_torch() -> None:
    code = "import sys, backsight.types; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_reward_for_the_format_alone_is_no_success() -> None:
    formatted = replace(EPISODE, feedback=Feedback(reward=1.2))  # 0.2 in all
    assert not formatted.succeeded
    assert replace(formatted, success_threshold=0.1).succeeded


def test_what_nobody_scored_has_no_reward_and_no_success() -> None:
    unpaid = tuple(replace(each, reward=None) for each in EPISODE.steps)
    silent = replace(EPISODE, steps=unpaid, success_threshold=-1.0)
    assert not silent.is_scored and not silent.succeeded
    with pytest.raises(RewardError, match="nobody scored this attempt"):
        _ = silent.total_reward
    assert silent.with_feedback(Feedback(reward=0.0)).is_scored
    assert Group("start", (silent, EPISODE)).scored == (EPISODE,)


def test_an_action_that_hit_the_cap_cuts_the_episode_off_wherever_it_stands() -> None:
    first = replace(EPISODE.steps[0], action=replace(EPISODE.steps[0].action, is_truncated=True))
    last = replace(EPISODE.steps[1], truncated=False, terminated=True)
    assert not replace(EPISODE, steps=(EPISODE.steps[0], last)).was_cut_off
    assert replace(EPISODE, steps=(first, last)).was_cut_off


def test_ten_tenths_reach_a_threshold_of_one() -> None:
    paid = Trajectory("start", tuple(step(0.1, [-0.5]) for _ in range(10)))
    assert paid.total_reward == 1.0 and paid.succeeded
    almost = replace(paid, steps=paid.steps[:9])
    assert not almost.succeeded
    assert replace(almost, success_threshold=0.3 * 3).succeeded
