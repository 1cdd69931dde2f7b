"""Splits whose items are generated when they are asked for; the same index always gives the same item."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from backsight.errors import DataError, nearest
from backsight.tasks.base import Item, LazyItems
from backsight_pocket import world
from backsight_pocket.constraints import domain_of

TRAIN_ITEMS = 1_000_000
"""Number of items of a training split, far more than a run sees."""


def generate_items(name: str, length: int, make: Callable[[random.Random, str], Item]) -> LazyItems:
    """Make a split of `length` items, each from a random stream of its own."""
    return LazyItems(length, lambda number: make(random.Random(f"{name} {number}"), f"{name}-{number}"))


def items_of(splits: Mapping[str, Sequence[Item]], split: str) -> Sequence[Item]:
    """Return the items of a split.

    Raises:
        DataError: when there is no such split.
    """
    if split not in splits:
        raise DataError("split", split, nearest(split, splits))
    return splits[split]


def is_held_out(text: str) -> bool:
    """Return whether a text has words of the domains kept for evaluation, which must not be trained."""
    return any(domain_of(word) in world.HELD_OUT_DOMAINS for word in world.words(text))
