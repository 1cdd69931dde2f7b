"""Cutting a batch of examples into micro-batches that fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

NARROW = 0.8
"""Rows below this share of a micro-batch's widest row waste more on padding than another forward pass costs …"""
BUSY_TOKENS = 1024
"""… unless the micro-batch is so small that it would not keep the machine busy."""

Extent = Callable[[list[int]], tuple[int, int]]
"""Rows, and tokens of the widest, that some examples take together."""


def micro_batches(units: Sequence[tuple[int, int]], budget: int) -> list[list[int]]:
    """Indices of the units, each so many rows of such a width, cut so that rows times the widest stays in the budget.

    They come widest first: the memory that all of them need is asked for at once, and what will not fit fails early. A
    unit above the budget gets a micro-batch of its own.
    """
    batches: list[list[int]] = []
    num_rows = widest = 0
    for index in sorted(range(len(units)), key=lambda each: (-units[each][1], each)):
        rows, width = units[index]
        is_narrow = width < NARROW * widest and num_rows * widest >= BUSY_TOKENS
        if not batches or is_narrow or (num_rows + rows) * widest > budget:
            batches.append([])
            num_rows, widest = 0, width
        batches[-1].append(index)
        num_rows += rows
    return batches


def sibling_batches(siblings: Iterable[list[int]], extent: Extent, budget: int) -> list[list[int]]:
    """Micro-batches of examples by index, in which siblings stay together as far as the budget lets them."""
    parts = [part for indices in siblings for part in _fitting(indices, extent, budget)]
    return [
        [index for unit in batch for index in parts[unit]] for batch in micro_batches(list(map(extent, parts)), budget)
    ]


def _fitting(indices: list[int], extent: Extent, budget: int) -> list[list[int]]:
    """The siblings, halved until a part is within the budget.

    Where one of them alone is near or above it, most of that is their prompt, and to cut would compute it again for
    each: then a part may take half of the budget besides.
    """
    if len(indices) == 1:
        return [indices]
    rows, widest = extent(indices)
    alone = max(extent([index])[1] for index in indices)
    if rows * widest <= budget or (rows == 1 and widest <= alone + budget // 2):
        return [indices]
    half = len(indices) // 2
    return _fitting(indices[:half], extent, budget) + _fitting(indices[half:], extent, budget)
