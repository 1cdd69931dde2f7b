"""Comparison of two policies on the same items: how far apart they are, and whether that may be chance.

Arrays: I items, D items whose scores differ, F patterns of signs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from backsight.evaluation.statistics import LEVEL, Estimate, bootstrap

ROUNDING = 1e-12
"""Differences as small, for numbers up to 1 or relative to larger ones, are those of the same sums in another order."""
FLIPS = 10_000
_BLOCK = 500


@dataclass(frozen=True, slots=True)
class Comparison:
    """Scores of a policy against those of the baseline, over the items on which both have one."""

    baseline: float
    """Mean score of the baseline over those items."""
    policy: float
    difference: Estimate
    """Mean of the policy's score minus the baseline's, with its interval."""
    p: float
    """Two-sided p: how often the difference would be as large by chance."""

    def rises(self, level: float = LEVEL) -> bool:
        """Return whether the policy's mean is significantly above the baseline's."""
        return self.difference.mean > 0 and self.p <= level

    def falls(self, level: float = LEVEL) -> bool:
        """Return whether the policy's mean is significantly below the baseline's."""
        return self.difference.mean < 0 and self.p <= level


def compare_scores(baseline: Sequence[float | None], policy: Sequence[float | None]) -> Comparison | None:
    """Compare the scores of two policies by item, in the same order; return None if no item has both.

    It is about these two policies; whether two methods differ, `compare_over_seeds` says. The interval is a bootstrap
    over items. The test asks how often the difference would be as large if each item's could as well have had the
    other sign: the paired sign-flip permutation test (Fisher 1935), exact if the differing items have at most `FLIPS`
    patterns of signs, else with so many random ones (seed 0).
    """
    pairs = [(one, two) for one, two in zip(baseline, policy, strict=True) if one is not None and two is not None]
    if not pairs:
        return None
    pairs_I2 = numpy.asarray(pairs, dtype=float)
    differences_I = pairs_I2[:, 1] - pairs_I2[:, 0]
    differences_I[numpy.abs(differences_I) <= ROUNDING * numpy.abs(pairs_I2).max(axis=1).clip(1.0)] = 0.0
    means = pairs_I2.mean(axis=0)
    return Comparison(float(means[0]), float(means[1]), bootstrap(differences_I), _sign_flip_p(differences_I))


def _sign_flip_p(differences_I: NDArray[numpy.float64]) -> float:
    """Compute the two-sided p of the sign-flip test. Items without a difference have no sign to flip."""
    sizes_D = numpy.abs(differences_I[differences_I != 0])
    count = len(sizes_D)
    least = abs(differences_I.sum()) - 1e-9 * sizes_D.sum()  # sums of the same numbers in another order differ a little
    if 2**count <= FLIPS:
        patterns_FD = (numpy.arange(2**count)[:, None] >> numpy.arange(count)) & 1
        return float((numpy.abs(_sums(patterns_FD, sizes_D)) >= least).mean())
    generator = numpy.random.default_rng(0)
    as_large = 0
    for _ in range(FLIPS // _BLOCK):  # in blocks, to save memory
        patterns_FD = generator.integers(2, size=(_BLOCK, count))
        as_large += int((numpy.abs(_sums(patterns_FD, sizes_D)) >= least).sum())
    return (as_large + 1) / (FLIPS + 1)  # what was observed is a pattern as well


def _sums(patterns_FD: NDArray[numpy.int64], sizes_D: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    sums_F: NDArray[numpy.float64] = (2.0 * patterns_FD - 1.0) @ sizes_D
    return sums_F
