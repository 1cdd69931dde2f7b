"""What a source of feedback says, checked before anybody learns from it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from backsight.errors import RewardError
from backsight.feedback.combined import Combined
from backsight.feedback.sources import ask_source
from backsight.types import Action, Feedback, Step, Trajectory

EPISODE = Trajectory(0, (Step("o", Action((1,), torch.zeros(1)), reward=5.0),))


class Says:
    busy = ("critic",)

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> Any:
        return self.answer


class Leaves:
    """A number that ends the program when it is asked for its size."""

    def __float__(self) -> float:
        sys.exit(3)


def ask(answer: Any) -> list[Feedback]:
    return ask_source(Says(answer), [EPISODE], [0])


def test_numbers_become_plain() -> None:
    said = Feedback(
        rewards={"a": np.float32(0.5)}, reward=torch.tensor(2.0), step_rewards=np.ones(1), success=np.bool_(True)
    )
    assert ask((said,)) == [Feedback(rewards={"a": 0.5}, reward=2.0, step_rewards=(1.0,), success=True)]


def test_a_generator_will_do() -> None:
    def one() -> Iterator[Feedback]:
        yield Feedback(reward=1.0)

    assert ask(one()) == [Feedback(reward=1.0)]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "critic: None: return a list of 1 Feedback"),
        ([], r"critic: \[\]: return a list of 1 Feedback"),
        ([Feedback()] * 2, "return a list of 1 Feedback"),
        ({0: Feedback()}, "return a list of 1 Feedback"),
        ([1.0], r"critic: \[1.0\]: return a list of 1 Feedback"),
        ([Feedback(reward=1e39)], "critic: 1e\\+39: is beyond what float32 holds"),
        ([Feedback(reward=float("nan"))], "critic: nan: a reward is a finite number"),
        ([Feedback(rewards={"a": "1"})], "critic, a: '1': a reward is a finite number"),
        ([Feedback(step_rewards=(1.0, 2.0))], "critic, step_rewards: 2 of them: give a list with one a step: 1"),
        ([Feedback(step_rewards={3.0})], "critic, step_rewards: {3.0}: give a list with one a step: 1"),
        ([Feedback(step_rewards={0: 3.0})], "critic, step_rewards: {0: 3.0}: give a list with one a step"),
        ([Feedback(step_rewards=3.0)], "critic, step_rewards: 3.0: give a list with one a step"),
        ([Feedback(rewards=[1.0])], r"critic, rewards: \[1.0\]: give numbers by name"),
        ([Feedback(text=3)], "critic, text: 3: give text or None"),
        ([Feedback(correction=["a"])], r"critic, correction: \['a'\]: give text or None"),
        ([Feedback(achieved_prompts={"o"})], "critic, achieved_prompts: {'o'}: give a list with one a step: 1"),
        ([Feedback(achieved_prompts=("o", "o"))], "critic, achieved_prompts: 2 of them: give a list with one a step"),
        ([Feedback(achieved_prompts_by_step=())], "critic, achieved_prompts_by_step: tuple: give a sequence of 1"),
        ([Feedback(achieved_share=float("nan"))], "critic, achieved_share: nan: a reward is a finite number"),
        ([Feedback(reward=Leaves())], "critic: <.*Leaves object.*>: a reward is a finite number"),
        ([Feedback(success=np.array([True, False]))], "critic, success: array.*: give True or False"),
        ([Feedback(success="no")], "critic, success: 'no': give True or False"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(answer: Any, message: str) -> None:
    with pytest.raises(RewardError, match=message):
        ask(answer)
    with pytest.raises(RewardError, match=message):
        Combined([Says(answer)])([EPISODE], [0])


@pytest.mark.parametrize("busy", [None, (), 3])
def test_a_source_that_raises_is_named_and_one_without_a_name_by_its_class(busy: Any) -> None:
    class Raises:
        def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
            raise SystemExit(1)

    if busy is not None:
        Raises.busy = busy  # type: ignore[attr-defined]
    with pytest.raises(RewardError, match=r"^feedback of Raises: called sys.exit\(1\)"):
        ask_source(Raises(), [EPISODE], [0])


def test_a_generator_that_ends_the_program_is_named() -> None:
    with pytest.raises(RewardError, match=r"critic: called sys.exit\(3\): mend it"):
        ask(float(Leaves()) for _ in range(1))
