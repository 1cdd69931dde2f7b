"""What to solve and how it is scored: a frozen data half (`Item`) and a behaviour half (`Task`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, overload

from backsight.errors import DataError
from backsight.types import Feedback, Observation


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to solve."""

    id: str
    prompt: Observation
    """Text, or chat messages."""
    target: str | None = None
    """A gold answer, where there is one. Supervised fine-tuning learns it; reinforcement learning never sees it."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """Everything else of the row; reward functions receive it by name."""


@dataclass(frozen=True, slots=True)
class LazyItems(Sequence[Item]):
    """Items made when they are asked for: the same number always gives the same item."""

    length: int
    make: Callable[[int], Item]
    """From a number, counted from 0, to the item."""

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self.make(each) for each in range(*index.indices(self.length))]
        if not -self.length <= index < self.length:
            raise IndexError(index)
        return self.make(index % self.length)


class Task(ABC):
    """Items in named splits, and a judge for completions.

    `judge` must be a pure function of its arguments: the same completion always gets the same feedback.
    """

    name: str
    train_split: str = "train"
    eval_splits: tuple[str, ...] = ()
    """The first one is in domain; it is the one that stop conditions and the choice of a checkpoint look at."""
    full_marks: float = 1.0
    """The reward of a gold answer."""
    labels: tuple[str, ...] = ()
    """All answers there are, where they can be listed: what a classifier chooses from."""
    metrics: tuple[str, ...] = ()
    """Named rewards to report beside the reward, e.g. ``("chrf", "exact")``."""

    @abstractmethod
    def items(self, split: str) -> Sequence[Item]:
        """The items of a split, always the same and in the same order."""

    @abstractmethod
    def judge(self, item: Item, completion: str) -> Feedback:
        """What is revealed of a completion afterwards."""

    def relabelled(self, item: Item, completion: str, seed: int) -> Observation | None:
        """A prompt that the completion would have answered in full; None when the task knows of none.

        `seed` chooses among several, so that the same failure need not always teach the same thing.
        """
        return None

    def split_metrics(self, items: Sequence[Item], completions: Sequence[str]) -> Mapping[str, float]:
        """Named figures of a whole split that are no means over its items; reported with bootstrap intervals.

        `completions` has one completion for each of the items, which may repeat.
        """
        return {}

    def shortened(self, item: Item, fits: Callable[[Observation], bool]) -> Item | None:
        """The item with as much of its prompt as `fits`; None when the task knows of nothing to leave out."""
        return None

    def with_items(self, items: Mapping[str, Sequence[Item]]) -> Self:
        """The same task with other items in these splits. A task that shortens items has to have it."""
        raise NotImplementedError

    def validate(self, split: str, limit: int = 200) -> int:
        """Grade the gold answers of up to `limit` items; returns how many were graded.

        Raises:
            DataError: a gold answer does not get full marks, so the judge or the row is wrong.
        """
        graded = 0
        for item in self.items(split)[:limit]:
            if item.target is None:
                continue
            reward = self.judge(item, item.target).reward
            if reward is None or abs(reward - self.full_marks) > 1e-6:
                raise DataError(
                    f"{split}/{item.id}.target",
                    item.target,
                    f"the gold answer scores {reward}, not {self.full_marks}; mend the row or the judge",
                )
            graded += 1
        return graded
