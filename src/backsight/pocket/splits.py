"""Splits whose items are generated when they are asked for, the same index always the same item."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

from backsight.errors import DataError, nearest
from backsight.pocket import world
from backsight.pocket.constraints import domain_of
from backsight.tasks.base import Item

TRAIN_ITEMS = 1_000_000
"""The training split has no end to speak of."""


@dataclass(frozen=True, slots=True)
class GeneratedItems(Sequence[Item]):
    """Items made on demand, from a random stream of their own each."""

    name: str
    length: int
    make: Callable[[random.Random, str], Item]

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(self.length))]
        if not -self.length <= index < self.length:
            raise IndexError(index)
        number = index % self.length
        return self.make(random.Random(f"{self.name} {number}"), f"{self.name}-{number}")


def items_of(splits: Mapping[str, Sequence[Item]], split: str) -> Sequence[Item]:
    """The items of this split.

    Raises:
        DataError: there is no such split.
    """
    if split not in splits:
        raise DataError("split", split, nearest(split, splits))
    return splits[split]


def is_held_out(text: str) -> bool:
    """Whether it speaks of the domains kept for evaluation, which stay out of what is trained."""
    return any(domain_of(word) in world.HELD_OUT_DOMAINS for word in world.words(text))
