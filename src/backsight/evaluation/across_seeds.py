"""Scores and curves of several runs of one method that differ in their seed: means, and how far the runs lie apart.

Arrays: R runs, X places on a curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy

from backsight.evaluation.statistics import Estimate, estimate

Point = tuple[float, float]
"""A point of a learning curve: how much of the budget was used, and the score then."""


@dataclass(frozen=True, slots=True)
class SeedScores:
    """One score of a method over several seeds."""

    estimate: Estimate
    """Mean over items, with its interval, of scores averaged over seeds."""
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


def seed_scores(scores: Sequence[Sequence[float | None]]) -> SeedScores | None:
    """Summarise the items' scores of each seed; return None if no item has one."""
    over_items = [value for value in average_over_seeds(scores) if value is not None]
    if not over_items:
        return None
    known = [[value for value in own if value is not None] for own in scores]
    return SeedScores(estimate(over_items), tuple(fmean(own) for own in known if own))


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
