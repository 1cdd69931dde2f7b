"""A task of several tasks, whose items take turns."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

from backsight.tasks.base import Item, LazyItems, PromptTask
from backsight.tasks.forms import PromptForm
from backsight.types import Feedback, Observation

PART = "part"
"""The column that holds the name of an item's task."""


class Mixture(PromptTask):
    """Several tasks of prompts as one: the first item is of the first one, the second of the second, and so on.

    A split has as many items of each as the shortest of them has.
    """

    name = "mixture"

    def __init__(self, parts: Mapping[str, PromptTask], eval_splits: tuple[str, ...]) -> None:
        self.parts, self.eval_splits = dict(parts), eval_splits

    def in_form(self, form: PromptForm) -> Self:
        twin = copy.copy(self)
        twin.parts = {name: part.in_form(form) for name, part in self.parts.items()}
        return twin

    def items(self, split: str) -> Sequence[Item]:
        names, items = list(self.parts), [part.items(split) for part in self.parts.values()]

        def make(number: int) -> Item:
            turn, which = divmod(number, len(names))
            item = items[which][turn]
            return replace(item, id=f"{names[which]}.{item.id}", columns={**item.columns, PART: names[which]})

        return LazyItems(len(names) * min(map(len, items)), make)

    def judge(self, item: Item, completion: str) -> Feedback:
        return self.parts[item.columns[PART]].judge(item, completion)

    def relabel_prompt(self, item: Item, completion: str, seed: int) -> Observation | None:
        return self.parts[item.columns[PART]].relabel_prompt(item, completion, seed)


def without_exams(task: PromptTask) -> Mixture:
    """Return the task as something to learn alone, with no splits that a run would evaluate on."""
    parts = task.parts if isinstance(task, Mixture) else {task.name: task}
    return Mixture(parts, eval_splits=())
