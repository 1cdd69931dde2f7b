"""What is rounding, and what is a difference: the one place that decides whether two numbers are the same."""

from __future__ import annotations

import math
from collections.abc import Sequence

EQUAL = 2.0**-22
"""Largest difference of numbers that count as equal, as a share of the largest: float32 tells no smaller one."""
CANCELLED = 1e-15
"""Largest sum that counts as nothing, as a share of what was added up: float64 tells no smaller one."""


def difference(one: float, other: float) -> float:
    """Return one number less the other; 0 where they differ by rounding alone, relative to the larger of them."""
    apart = one - other
    return 0.0 if abs(apart) <= EQUAL * max(abs(one), abs(other)) else apart


def total(parts: Sequence[float]) -> float:
    """Return the sum of the parts; 0 where they cancel but for rounding, as 0.1 + 0.2 - 0.3 do."""
    found = math.fsum(parts)
    return 0.0 if abs(found) <= CANCELLED * math.fsum(map(abs, parts)) else found
