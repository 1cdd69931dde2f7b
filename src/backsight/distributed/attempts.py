"""Attempts that were made on several ranks, put together: hindsight looks at whole groups, and at whole batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from backsight.distributed.ranks import Ranks
from backsight.types import Group


def gather_groups(ranks: Ranks, own: Sequence[Group], starts: Sequence[Any]) -> list[Group]:
    """Return the groups of all ranks, in the order of their starts, which each rank has: they are not sent along.

    A start may be anybody's object, which cannot be packed.
    """
    if ranks.size == 1:
        return list(own)
    parts = ranks.join([_starting_at(group, None) for group in own])
    return [_starting_at(group, start) for group, start in zip(parts, starts, strict=True)]


def _starting_at(group: Group, start: Any) -> Group:
    return replace(group, start=start, trajectories=tuple(replace(each, start=start) for each in group.trajectories))
