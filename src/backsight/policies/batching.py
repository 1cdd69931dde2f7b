"""Cutting a batch of examples into micro-batches that fit."""

from __future__ import annotations

from collections.abc import Sequence

NARROW = 0.8
"""Rows below this share of a micro-batch's widest row waste more on padding than another forward pass costs …"""
BUSY_TOKENS = 1024
"""… unless the micro-batch is so small that it would not keep the machine busy."""


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
