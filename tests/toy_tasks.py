"""Tasks that can be learnt in seconds."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

from backsight.tasks.base import Item, Task
from backsight.types import Feedback

WORDS = ("red", "green", "blue", "gold")


class SayWord(Task):
    """A bandit in words: the prompt is always the same, and one word is right."""

    name = "say_word"
    eval_splits = ("test",)

    def items(self, split: str) -> Sequence[Item]:
        return [Item("0", "say", " blue")]

    def judge(self, item: Item, completion: str) -> Feedback:
        right = completion == item.target
        return Feedback(rewards={"right": float(right)}, reward=float(right), success=right, sources=(self.name,))


class GoalString(Task):
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

    def relabelled(self, item: Item, completion: str, seed: int) -> str | None:
        words = completion.split()
        return self._prompt(words) if len(words) == self.length and set(words) <= set(WORDS) else None

    @staticmethod
    def _prompt(words: Sequence[str]) -> str:
        return "".join(" " + word for word in words)


class WhichWord(Task):
    """Say which word the prompt holds, by choosing it as a label."""

    name = "which_word"
    eval_splits = ("test",)
    labels = WORDS

    def items(self, split: str) -> Sequence[Item]:
        return [Item(word, f"it is {word}", word) for word in WORDS]

    def judge(self, item: Item, completion: str) -> Feedback:
        right = completion == item.target
        return Feedback(rewards={"right": float(right)}, reward=float(right), success=right, sources=(self.name,))
