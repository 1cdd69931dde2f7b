"""Which starts belong to which step: shuffled passes over the data, a function of seed and step alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch

from backsight.errors import DataError
from backsight.seeds import derived_seed


def starts_of_step(starts: Sequence[Any], count: int, step: int, seed: int) -> list[Any]:
    """The `count` starts of a step. Each pass takes every start once before any comes again."""
    if not len(starts):
        raise DataError("train", "0 items", "the training split is empty; give it some rows")
    positions = range(step * count, (step + 1) * count)
    return [starts[_pass(len(starts), position // len(starts), seed)[position % len(starts)]] for position in positions]


@lru_cache(maxsize=2)
def _pass(length: int, number: int, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(derived_seed(seed, "order", number))
    order: list[int] = torch.randperm(length, generator=generator).tolist()
    return order
