"""Splits whose items are generated when they are asked for, the same index always the same item."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from backsight.errors import DataError, nearest
from backsight.pocket import world
from backsight.pocket.constraints import domain_of
from backsight.tasks.base import Item, LazyItems

TRAIN_ITEMS = 1_000_000
"""The training split has no end to speak of."""


def generated_items(name: str, length: int, make: Callable[[random.Random, str], Item]) -> LazyItems:
    """Each from a random stream of its own."""
    return LazyItems(length, lambda number: make(random.Random(f"{name} {number}"), f"{name}-{number}"))


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
