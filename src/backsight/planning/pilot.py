"""How a finished pilot run would go on: its learning curve, fitted and continued, with intervals.

The form is R(C) = R0 + (A − R0) / (1 + (C_mid/C)^B) (ScaleRL, Khatri 2025, arXiv:2510.13786, equation 1): C is the data
that taught something so far, A the score that is approached, C_mid where half of the way is gone, the bend. Before the
bend A is not in the data, and many curves fit that part for ever after. So no one curve is chosen: all that fit are
weighed by how well they do, and a forecast is what they say together. While many of them have their bend still to come,
there is no point forecast.

Arrays: N evaluations, H hypotheses (curves), D draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from backsight.errors import DataError

FEWEST_EVALUATIONS = 5
"""Fewest evaluations of a pilot that a curve is fitted to, that of the start included."""
SURE = 0.8
"""Share of the curves that have to have their bend behind them, for a point forecast."""
EARLY_SHARE = 0.05
"""Share of the pilot whose evaluations are left out, but for the first: the start is noisy."""
LEVEL = 0.9
"""Confidence of the intervals."""
MOST_REUSE = 25
"""How often a prompt can be used again nearly for free (arXiv:2509.25300)."""
DRAWS = 4000
NEARLY_ALL = 0.9
"""Share of the way to the highest score at which more data is hardly worth having."""
PRIOR_FREEDOM = 3.0
"""Weight of the evaluations' own errors, in evaluations, against the residuals of the fit."""
LEAST_NOISE = 0.01
"""Least noise of an evaluation, as a share of all that can be gained: the curves lie no closer to each other."""
WANDER = 0.04
"""How far a run leaves its curve while its data doubles, as a share of all that it could gain: chosen on ten runs of
the pocket model, most of which follow no curve for long (docs/cost.md)."""

Array = NDArray[numpy.float64]


@dataclass(frozen=True, slots=True)
class Pilot:
    """The evaluations of a run on one split, in order."""

    attempts: tuple[float, ...]
    """Attempts until each evaluation, (N,); the first is that of the start, at 0."""
    taught: tuple[float, ...]
    """Those of the attempts that taught something, (N,)."""
    scores: tuple[float, ...]
    errors: tuple[float, ...]
    """Standard error of each score, (N,)."""
    future_share: float
    """Share of future attempts that are taken to teach something."""
    highest: float
    """Highest score there can be; the highest seen, and half of its way again, where that is not known."""

    def taught_at(self, attempts: float) -> float:
        """Return how many of so many attempts will have taught something."""
        return self.taught[-1] + self.future_share * (attempts - self.attempts[-1])

    def attempts_at(self, taught: float) -> float:
        """Return after how many attempts so many will have taught something."""
        return self.attempts[-1] + (taught - self.taught[-1]) / max(1e-9, self.future_share)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The score after some attempts: the median, unless the bend is still to come, and an interval."""

    attempts: float
    score: float | None
    low: float
    high: float


class LearningCurve:
    """All curves that fit a pilot, each as often among the draws as it is likely."""

    def __init__(self, pilot: Pilot, seed: int = 0) -> None:
        """Fit the curves.

        Raises:
            DataError: when there are too few evaluations, or nothing was taught.
        """
        check_pilot(pilot)
        self.pilot = pilot
        late = [
            place for place, each in enumerate(pilot.taught) if place == 0 or each >= EARLY_SHARE * pilot.taught[-1]
        ]
        data_N, scores_N, errors_N = (
            numpy.array([column[place] for place in late]) for column in (pilot.taught, pilot.scores, pilot.errors)
        )
        start_H, end_H, middle_H, power_H = _hypotheses(pilot)
        squares_H = numpy.zeros(len(start_H))
        for data, score in zip(data_N, scores_N, strict=True):
            squares_H += (curve(data, start_H, end_H, middle_H, power_H) - score) ** 2
        least = LEAST_NOISE * (pilot.highest - min(pilot.scores))
        prior = PRIOR_FREEDOM * max(float(numpy.mean(errors_N**2)) / 4, least**2)
        freedom = len(data_N) + PRIOR_FREEDOM
        log_weights_H = -freedom / 2 * numpy.log(squares_H + prior)
        weights_H = numpy.exp(log_weights_H - log_weights_H.max())
        generator = numpy.random.default_rng(seed)
        drawn_D = generator.choice(len(weights_H), size=DRAWS, p=weights_H / weights_H.sum())
        self.start_D, self.end_D, self.middle_D, self.power_D = (
            each[drawn_D] for each in (start_H, end_H, middle_H, power_H)
        )
        deviation_D = numpy.sqrt((squares_H[drawn_D] + prior) / generator.chisquare(freedom, size=DRAWS))
        self.noise_D: Array = deviation_D * generator.standard_normal(DRAWS)
        self.walk_D: Array = generator.standard_normal(DRAWS)

    @property
    def share_past_bend(self) -> float:
        """Share of the curves whose bend lies within the pilot."""
        return float((self.middle_D <= self.pilot.taught[-1]).mean())

    @property
    def is_past_bend(self) -> bool:
        """Whether a point forecast can be made."""
        return self.share_past_bend >= SURE

    @property
    def attempts_needed(self) -> float:
        """Attempts after which a pilot would be past the bend, by nearly all of the curves."""
        return self.pilot.attempts_at(float(numpy.quantile(self.middle_D, SURE)))

    @property
    def highest(self) -> tuple[float, float, float]:
        """The score that is approached: the ends of its interval, and the median between them."""
        low, middle, high = numpy.quantile(self.end_D, _ends())
        return float(low), float(middle), float(high)

    def forecast(self, attempts: float) -> Forecast:
        """Forecast the score that an evaluation after so many attempts would measure, for a run that wanders."""
        scores_D = curve(self.pilot.taught_at(attempts), self.start_D, self.end_D, self.middle_D, self.power_D)
        doublings = math.log2(max(1.0, attempts / self.pilot.attempts[-1]))
        wandered = WANDER * (self.pilot.highest - self.pilot.scores[0]) * math.sqrt(doublings)
        low, middle, high = numpy.quantile(scores_D + self.noise_D + wandered * self.walk_D, _ends())
        return Forecast(attempts, float(middle) if self.is_past_bend else None, float(low), float(high))

    def attempts_worth_having(self) -> tuple[float, float]:
        """Return after how many attempts nearly all is learnt that can be: the median, and the end of the interval."""
        way = (NEARLY_ALL / (1 - NEARLY_ALL)) ** (1 / self.power_D)
        middle, high = numpy.quantile(self.middle_D * way, _ends()[1:])
        return self.pilot.attempts_at(float(middle)), self.pilot.attempts_at(float(high))


def check_pilot(pilot: Pilot) -> None:
    """Raise `DataError` when nothing can be said of how the run would go on."""
    count = len(pilot.scores)
    if count < FEWEST_EVALUATIONS:
        remedy = f"a curve needs {FEWEST_EVALUATIONS} or more; make the pilot again with a smaller eval_steps"
        raise DataError("pilot", f"{count} evaluation{'' if count == 1 else 's'}", remedy)
    if pilot.taught[-1] <= 0:
        remedy = "all groups earned the same; see hindsight, or take easier prompts"
        raise DataError("pilot", "no attempt taught anything", remedy)


def curve(data: float, start: Array, end: Array, middle: Array, power: Array) -> Array:
    """Compute R(C) of many curves at one amount of data."""
    if data <= 0:
        return start
    return start + (end - start) / (1 + (middle / data) ** power)


def _hypotheses(pilot: Pilot) -> tuple[Array, Array, Array, Array]:
    """Return start, end, middle and power of all curves that are weighed, (H,) each: a grid."""
    last, error = pilot.taught[-1], max(pilot.errors[0], 1e-3)
    first = next(each for each in pilot.taught if each > 0)
    lowest = min(pilot.scores)
    axes = (
        pilot.scores[0] + error * numpy.array([-1.5, -0.75, 0.0, 0.75, 1.5]),
        numpy.linspace(lowest, max(pilot.highest, lowest + 1e-3), 41),
        numpy.geomspace(first / 2, 30 * last, 48),
        numpy.geomspace(0.3, 4.0, 12),
    )
    grids = numpy.meshgrid(*axes, indexing="ij")
    start_H, end_H, middle_H, power_H = (each.ravel() for each in grids)
    return start_H, end_H, middle_H, power_H


def _ends() -> tuple[float, float, float]:
    return (1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2


def loss_exponent(pilot: Pilot) -> float | None:
    """Return k of log L = −k·log X + E, by which the distance L from the highest score falls before the bend.

    Least squares over the evaluations after the start (arXiv:2509.25300); None where fewer than two are below it.
    """
    points = [
        (math.log(data), math.log(pilot.highest - score))
        for data, score in zip(pilot.taught, pilot.scores, strict=True)
        if data > 0 and score < pilot.highest
    ]
    if len(points) < 2:
        return None
    slope, _ = numpy.polyfit([data for data, _ in points], [loss for _, loss in points], 1)
    return -float(slope)


def teaching_share(success: float, group_size: int) -> float:
    """Return the share of groups in which some succeed and some fail: 1 − p^G − (1 − p)^G."""
    return float(1 - success**group_size - (1 - success) ** group_size)


def prompts_worth_having(attempts: float, group_size: int) -> tuple[int, int]:
    """Return the fewest prompts for so many attempts, each used `MOST_REUSE` times, and the most that can be used."""
    groups = attempts / max(1, group_size)
    return math.ceil(groups / MOST_REUSE), math.ceil(groups)


def cumulated(shares: Sequence[float], per_step: float) -> list[float]:
    """Return the sums of what each step taught, from 0, where a share of `per_step` attempts did."""
    sums = [0.0]
    for share in shares:
        sums.append(sums[-1] + share * per_step)
    return sums
