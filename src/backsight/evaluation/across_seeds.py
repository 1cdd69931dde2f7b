"""Several runs of one method that differ in their seed: what they have in common, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy

from backsight.evaluation.statistics import Estimate, estimate

Point = tuple[float, float]
"""How much of the budget was used, and the score then."""


@dataclass(frozen=True, slots=True)
class SeedScores:
    """One score of a method."""

    estimate: Estimate
    """Over items, of their scores averaged over seeds."""
    by_seed: tuple[float, ...]
    """The mean over items of each run."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Scores while training goes on, all of the same length: the mean over seeds, the lowest and the highest."""

    used: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def averaged(scores: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Each item's mean over the seeds in which it has a score; None where it has none in any."""
    known = [[value for value in values if value is not None] for values in zip(*scores, strict=True)]
    return [fmean(values) if values else None for values in known]


def seed_scores(scores: Sequence[Sequence[float | None]]) -> SeedScores | None:
    """From the items' scores of each seed; None where no item has one."""
    over_items = [value for value in averaged(scores) if value is not None]
    if not over_items:
        return None
    known = [[value for value in own if value is not None] for own in scores]
    return SeedScores(estimate(over_items), tuple(fmean(own) for own in known if own))


def banded(runs: Sequence[Sequence[Point]]) -> Curve:
    """Wherever a run was looked at, up to where the shortest one ends; between its points a run is a straight line."""
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
