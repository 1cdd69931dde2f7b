"""`pass@k`: how often at least one of k attempts at an item succeeds, from n attempts at each.

Source: Chen 2021, arXiv:2107.03374.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

from backsight.types import Trajectory


def pass_at_k(num_attempts: int, successes: int, k: int) -> float:
    """Return the unbiased estimate: of all ways to draw k of the attempts, the share in which a success is drawn."""
    return 1.0 - comb(num_attempts - successes, k) / comb(num_attempts, k)


def item_passes(attempts: Sequence[Sequence[Trajectory]]) -> dict[str, list[float | None]]:
    """Compute the pass@k of each item by name (``pass@4``), for k of 1, 2, 4 and so on, and the number of attempts.

    The result is empty if items had one attempt only, or if no item has a value. An item with an attempt whose success
    is unknown has None.
    """
    num_attempts = len(attempts[0]) if attempts else 0
    if num_attempts < 2:
        return {}
    counts = [_successes(own) for own in attempts]
    if all(count is None for count in counts):
        return {}
    return {
        f"pass@{k}": [None if count is None else pass_at_k(num_attempts, count, k) for count in counts]
        for k in _sizes(num_attempts)
    }


def _successes(attempts: Sequence[Trajectory]) -> int | None:
    known = [each.feedback.success for each in attempts]
    return None if None in known else sum(map(bool, known))


def _sizes(num_attempts: int) -> list[int]:
    powers = [2**exponent for exponent in range(num_attempts.bit_length())]
    return sorted({*powers, num_attempts})
