"""Tasks that can be learnt in seconds, and how well they were."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

from backsight.evaluation.evaluator import evaluate_splits
from backsight.rollouts.base import Engine
from backsight.tasks.base import Item, PromptTask, Task
from backsight.types import Feedback, Sampling

WORDS = ("red", "green", "blue", "gold")


class SayWord(PromptTask):
    """A bandit in words: the prompt is always the same, and one word is right."""

    name = "say_word"
    eval_splits = ("test",)

    def items(self, split: str) -> Sequence[Item]:
        return [Item("0", "say", " blue")]

    def judge(self, item: Item, completion: str) -> Feedback:
        right = completion == item.target
        return Feedback(rewards={"right": float(right)}, reward=float(right), success=right, sources=(self.name,))


class GoalString(PromptTask):
    """Write the words that the prompt names, all of them right or nothing is earned."""

    name = "goal_string"
    eval_splits = ("test",)

    def __init__(self, length: int) -> None:
        self.length = length
        goals = list(itertools.product(WORDS, repeat=length))
        random.Random(0).shuffle(goals)
        self._items = [Item(str(number), self._prompt(goal), self._prompt(goal)) for number, goal in enumerate(goals)]

    def items(self, split: str) -> Sequence[Item]:
        return self._items

    def judge(self, item: Item, completion: str) -> Feedback:
        right = completion == item.target
        return Feedback(rewards={"right": float(right)}, reward=float(right), success=right, sources=(self.name,))

    def relabel_prompt(self, item: Item, completion: str, seed: int) -> str | None:
        words = completion.split()
        return self._prompt(words) if len(words) == self.length and set(words) <= set(WORDS) else None

    @staticmethod
    def _prompt(words: Sequence[str]) -> str:
        return "".join(" " + word for word in words)


class WhichWord(PromptTask):
    """Say which word the prompt holds, by choosing it as a label."""

    name = "which_word"
    eval_splits = ("test",)
    labels = WORDS

    def items(self, split: str) -> Sequence[Item]:
        return [Item(word, f"it is {word}", word) for word in WORDS]

    def judge(self, item: Item, completion: str) -> Feedback:
        right = completion == item.target
        return Feedback(rewards={"right": float(right)}, reward=float(right), success=right, sources=(self.name,))


def greedy_score(engine: Engine, task: Task, sampling: Sampling) -> float:
    """The mean reward of the likeliest answers to the test items."""
    num_items = len(task.items("test"))
    found = evaluate_splits(engine, task, task.episode, task.feedback(), sampling, num_items, ["test"])
    return found["test"].reward.mean
