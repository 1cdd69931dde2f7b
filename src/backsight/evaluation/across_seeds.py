"""Scores and curves of several runs of a method that differ in their seed: means, intervals and comparisons of methods.

A claim about a method holds for other seeds and other items. Both were drawn, so both make its mean uncertain, and the
two are added: the variance of the runs' means, and that of the items' means less the part of it that is noise within
runs, which the runs' means hold already. With few seeds that sum is itself uncertain, for which Student's t allows. A
method that changes nothing leaves the spread of the runs as it was, so the runs of both methods tell it together.
Source: the analysis of variance of a crossed design, with degrees of freedom after Satterthwaite 1946.

Arrays: R runs, I items, X places on a curve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy
from numpy.typing import NDArray

from backsight.evaluation.paired import ROUNDING, Comparison, compare_scores
from backsight.evaluation.statistics import Estimate, estimate, student_p, student_quantile

Scores = Sequence[Sequence[float | None]]
"""Scores of the items in each run, in the same order; None for an item without one."""

Point = tuple[float, float]
"""A point of a learning curve: how much of the budget was used, and the score then."""


@dataclass(frozen=True, slots=True)
class SeedScores:
    """One score of a method over several seeds."""

    estimate: Estimate
    """Mean over items and seeds. Its interval allows for other seeds and other items; with one seed, for items only."""
    by_seed: tuple[float, ...]
    """Mean over items of each run."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A learning curve over the part of the budget that was `used`: the mean, lowest and highest score over seeds."""

    used: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def average_over_seeds(scores: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Return each item's mean over the seeds in which it has a score; None for an item without any."""
    known = [[value for value in values if value is not None] for values in zip(*scores, strict=True)]
    return [fmean(values) if values else None for values in known]


def seed_scores(scores: Scores) -> SeedScores | None:
    """Summarise the items' scores of each seed; return None if no item has one.

    The interval is over the items that have a score in every run.
    """
    over_items = [value for value in average_over_seeds(scores) if value is not None]
    if not over_items:
        return None
    known = [[value for value in own if value is not None] for own in scores]
    by_seed = tuple(fmean(own) for own in known if own)
    (scores_RI,) = _complete([scores])
    if len(scores) == 1 or not scores_RI.size:
        return SeedScores(estimate(over_items), by_seed)
    spread = _Spread([scores_RI], scores_RI.mean(axis=0))
    return SeedScores(spread.interval(fmean(over_items), len(over_items)), by_seed)


def compare_over_seeds(baseline: Scores, policy: Scores) -> Comparison | None:
    """Compare two methods by the items' scores of their runs; return None if no item has a score in all of them.

    Runs are not paired: a run of one method tells nothing about that of the other with the same seed. With one run of
    each, the two policies are compared, and nothing is said about other seeds: see `compare_scores`.
    """
    if len(baseline) == 1 or len(policy) == 1:
        return compare_scores(average_over_seeds(baseline), average_over_seeds(policy))
    baseline_RI, policy_RI = _complete([baseline, policy])
    if not policy_RI.size:
        return None
    spread = _Spread([baseline_RI, policy_RI], policy_RI.mean(axis=0) - baseline_RI.mean(axis=0))
    means = float(baseline_RI.mean()), float(policy_RI.mean())
    return Comparison(*means, spread.interval(means[1] - means[0], policy_RI.shape[1]), spread.p(means[1] - means[0]))


def _complete(methods: Sequence[Scores]) -> list[NDArray[numpy.float64]]:
    """Return the scores of each method, (R, I), of the items that have one in every run of every method."""
    rows = [run for runs in methods for run in runs]
    kept = [index for index, values in enumerate(zip(*rows, strict=True)) if None not in values]
    return [numpy.asarray([[run[index] for index in kept] for run in runs], dtype=float) for runs in methods]


class _Spread:
    """How uncertain a mean over runs and items is, or a difference of two such means.

    Args:
        methods: scores of the runs of each method, (R, I) with two runs or more.
        items_I: each item's part in the mean.
    """

    def __init__(self, methods: Sequence[NDArray[numpy.float64]], items_I: NDArray[numpy.float64]) -> None:
        count = len(items_I)
        freedom = sum(len(scores_RI) - 1 for scores_RI in methods)
        squares = sum(((scores_RI.mean(axis=1) - scores_RI.mean()) ** 2).sum() for scores_RI in methods)
        of_runs = float(squares) / freedom * sum(1 / len(scores_RI) for scores_RI in methods)
        of_items = 0.0
        if count > 1:
            of_items = max(0.0, float(items_I.var(ddof=1)) / count - sum(map(_noise, methods)))
        self.count = count
        self.variance = of_runs + of_items
        uncertainty = of_runs**2 / freedom + of_items**2 / max(1, count - 1)
        self.freedom = max(1.0, self.variance**2 / uncertainty) if uncertainty else 1.0

    def interval(self, mean: float, count: int) -> Estimate:
        margin = student_quantile(self.freedom) * math.sqrt(self.variance)
        return Estimate(mean, mean - margin, mean + margin, count)

    def p(self, difference: float) -> float:
        """Return how often a difference as large would arise by chance. Of one item, nothing is known of others."""
        if abs(difference) <= ROUNDING or self.count == 1:
            return 1.0
        if math.sqrt(self.variance) <= ROUNDING:  # runs and items all say the same
            return 0.0
        return student_p(difference / math.sqrt(self.variance), self.freedom)


def _noise(scores_RI: NDArray[numpy.float64]) -> float:
    """Return the part of the variance of the mean that is neither the runs' nor the items' own."""
    runs_R1, items_1I = scores_RI.mean(axis=1, keepdims=True), scores_RI.mean(axis=0, keepdims=True)
    rest_RI = scores_RI - runs_R1 - items_1I + scores_RI.mean()
    runs, items = scores_RI.shape
    return float((rest_RI**2).sum() / ((runs - 1) * (items - 1) * runs * items))


def band(runs: Sequence[Sequence[Point]]) -> Curve:
    """Join the curves of several runs at all places that one of them has, up to the end of the shortest.

    Between its points a run is interpolated linearly.
    """
    end = min(max(used for used, _ in points) for points in runs)
    used = sorted({each for points in runs for each, _ in points if each <= end})
    scores_RX = numpy.stack(
        [
            numpy.interp(used, [each for each, _ in sorted(points)], [score for _, score in sorted(points)])
            for points in runs
        ]
    )
    mean, low, high = (tuple(values_X.tolist()) for values_X in (scores_RX.mean(0), scores_RX.min(0), scores_RX.max(0)))
    return Curve(tuple(used), mean, low, high)
