"""Cutting a batch of examples into micro-batches that fit."""

from __future__ import annotations

from collections.abc import Sequence


def micro_batches(sizes: Sequence[int], budget: int) -> list[list[int]]:
    """Indices of the examples, sorted by size and cut so that rows times the largest stays within the budget.

    Sorted, rows of one micro-batch need little padding. An example above the budget gets a micro-batch of its own.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(sizes)), key=lambda each: (sizes[each], each)):
        if batches and (len(batches[-1]) + 1) * sizes[index] <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
