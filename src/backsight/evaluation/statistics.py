"""Means with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import ArrayLike, NDArray

Z = 1.959964
"""Quantile of the normal distribution for 95 %."""
LEVEL = 0.05
"""Largest p that is significant: 95 % confidence."""
MOST_FREEDOM = 1_000.0
"""Degrees of freedom above which Student's distribution is the normal one for all that can be seen."""
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over items, and the interval that holds it with 95 % confidence."""

    mean: float
    low: float
    high: float
    count: int


def estimate(values: Sequence[float]) -> Estimate:
    """Return the mean with Wilson's interval if every value is 0 or 1, else a percentile bootstrap over items (seed 0).

    Wilson 1927; Efron 1979.

    Raises:
        ValueError: when there are no values.
    """
    if not len(values):
        raise ValueError("nothing to take the mean of")
    array = numpy.asarray(values, dtype=float)
    if numpy.isin(array, (0.0, 1.0)).all():
        return _wilson(float(array.mean()), len(array))
    return bootstrap(array)


def bootstrap(values: ArrayLike) -> Estimate:
    """Return the mean with a percentile bootstrap interval over items (seed 0), whatever the values are."""
    array = numpy.asarray(values, dtype=float)
    count = len(array)
    draws = numpy.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    low, high = numpy.quantile(array[draws].mean(axis=1), (0.025, 0.975))
    return Estimate(float(array.mean()), float(low), float(high), count)


def bootstrap_figures(figures: Callable[[Sequence[int]], Mapping[str, float]], count: int) -> dict[str, Estimate]:
    """Return figures that are no means, with percentile bootstrap intervals over items (seed 0), by name.

    `figures` computes them from the indices of items: of all `count` items, and of draws of them.
    """
    found = figures(range(count))
    if not found:
        return {}
    draws = numpy.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    drawn = [figures(draw) for draw in draws.tolist()]
    estimates = {}
    for name, figure in found.items():
        low, high = numpy.quantile([each[name] for each in drawn], (0.025, 0.975))
        estimates[name] = Estimate(figure, float(low), float(high), count)
    return estimates


def student_p(t: float, freedom: float) -> float:
    """Return how often a Student's t with so many degrees of freedom (at least 1) is as far from 0 as `t`, two-sided.

    With t = √freedom · tan(angle), its density is proportional to cos(angle)^(freedom − 1), which is summed here.
    """
    freedom = min(freedom, MOST_FREEDOM)
    angles = numpy.linspace(math.atan(abs(t) / math.sqrt(freedom)), math.pi / 2, 2_001)
    densities = numpy.cos(angles).clip(0.0) ** (freedom - 1)
    whole = math.sqrt(math.pi) * math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom + 1) / 2))
    return min(1.0, 2 * float(numpy.trapezoid(densities, angles)) / whole)


def student_quantile(freedom: float) -> float:
    """Return the t beyond which, on both sides, 5 % of Student's distribution lie."""
    low, high = 0.0, 20.0  # 12.7 for one degree of freedom
    for _ in range(35):
        middle = (low + high) / 2
        low, high = (middle, high) if student_p(middle, freedom) > LEVEL else (low, middle)
    return high


def spearman(one: ArrayLike, two: ArrayLike) -> float:
    """Return Spearman's rank correlation of two rows of numbers; equal numbers share the mean of their ranks.

    The result is NaN where all numbers of a row are equal, or there are none.
    """
    if not numpy.size(one):
        return math.nan
    ranks = [_ranks(numpy.asarray(each, dtype=numpy.float64)) for each in (one, two)]
    if any(numpy.ptp(each) == 0 for each in ranks):
        return math.nan
    correlations: NDArray[numpy.float64] = numpy.atleast_2d(numpy.corrcoef(numpy.stack(ranks)))
    return float(correlations[0, 1])


def _ranks(values: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    _, places, counts = numpy.unique(values, return_inverse=True, return_counts=True)
    ends = numpy.cumsum(counts)
    means: NDArray[numpy.float64] = (ends - (counts - 1) / 2)[places]
    return means


def _wilson(share: float, count: int) -> Estimate:
    denominator = 1 + Z**2 / count
    centre = (share + Z**2 / (2 * count)) / denominator
    margin = Z / denominator * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    return Estimate(share, max(0.0, centre - margin), min(1.0, centre + margin), count)
