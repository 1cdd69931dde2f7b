"""Learning curves with known parameters are found again, and intervals hold as often as they say."""

from __future__ import annotations

import numpy
import pytest

from backsight.errors import DataError
from backsight.planning.pilot import (
    LearningCurve,
    Pilot,
    cumulated,
    curve,
    loss_exponent,
    prompts_worth_having,
    teaching_share,
)


def pilot_along(
    last: float,
    *,
    start: float = 0.1,
    end: float = 0.8,
    middle: float = 2000.0,
    power: float = 1.5,
    noise: float = 0.0,
    seed: int = 0,
) -> Pilot:
    """A pilot of 16 evaluations, of which each attempt but every second teaches."""
    attempts = numpy.linspace(0, last, 16)
    generator = numpy.random.default_rng(seed)
    columns = [numpy.array([each]) for each in (start, end, middle, power)]
    scores = [float(curve(each / 2, *columns)[0]) + noise * generator.standard_normal() for each in attempts]
    return Pilot(tuple(attempts), tuple(attempts / 2), tuple(scores), (max(noise, 1e-3),) * 16, 0.5, 1.0)


def test_the_form_is_that_of_scale_rl() -> None:
    columns = [numpy.array([each]) for each in (0.2, 0.8, 100.0, 2.0)]
    assert curve(0.0, *columns)[0] == 0.2
    assert curve(100.0, *columns)[0] == pytest.approx(0.5)  # half of the way at the bend
    assert curve(200.0, *columns)[0] == pytest.approx(0.2 + 0.6 / 1.25)


def test_a_curve_that_has_bent_is_continued() -> None:
    found = LearningCurve(pilot_along(16_000.0))
    assert found.is_past_bend
    columns = [numpy.array([each]) for each in (0.1, 0.8, 2000.0, 1.5)]
    forecast = found.forecast(32_000.0)
    assert forecast.score == pytest.approx(float(curve(16_000.0, *columns)[0]), abs=0.02)
    assert found.highest[0] <= 0.8 + 0.02 and found.highest[2] >= 0.8 - 0.02


def test_no_point_is_forecast_before_the_bend() -> None:
    found = LearningCurve(pilot_along(800.0))
    assert not found.is_past_bend
    forecast = found.forecast(32_000.0)
    assert forecast.score is None
    assert forecast.low < 0.76 < forecast.high
    assert found.attempts_needed > 800


def test_intervals_hold_about_as_often_as_they_say() -> None:
    truth = [numpy.array([each]) for each in (0.1, 0.8, 2000.0, 1.5)]
    end = float(curve(8000.0, *truth)[0])
    held = 0
    for seed in range(40):
        found = LearningCurve(pilot_along(8000.0, noise=0.02, seed=seed)).forecast(16_000.0)
        measured = end + 0.02 * numpy.random.default_rng(1000 + seed).standard_normal()
        held += found.low <= measured <= found.high
    assert held >= 34


def test_too_little_is_refused() -> None:
    few = Pilot((0.0, 100.0), (0.0, 100.0), (0.1, 0.2), (0.01, 0.01), 1.0, 1.0)
    with pytest.raises(DataError, match=r"pilot: 2 evaluations: a curve needs 5 or more; .* eval_steps"):
        LearningCurve(few)
    silent = Pilot((0.0, 1.0, 2.0, 3.0, 4.0), (0.0,) * 5, (0.1,) * 5, (0.01,) * 5, 1.0, 1.0)
    with pytest.raises(DataError, match="no attempt taught anything"):
        LearningCurve(silent)


def test_the_loss_falls_by_a_power() -> None:
    data = (0.0, 100.0, 200.0, 400.0, 800.0)
    scores = (0.0, *(1 - each**-0.3 for each in data[1:]))
    assert loss_exponent(Pilot(data, data, scores, (0.01,) * 5, 1.0, 1.0)) == pytest.approx(0.3)
    assert loss_exponent(Pilot(data, data, (1.0,) * 5, (0.01,) * 5, 1.0, 1.0)) is None


def test_groups_teach_where_some_succeed_and_some_fail() -> None:
    assert teaching_share(0.5, 2) == 0.5
    assert teaching_share(0.25, 2) == pytest.approx(2 * 0.25 * 0.75)
    assert teaching_share(0.0, 8) == teaching_share(1.0, 8) == 0.0


def test_prompts_are_used_25_times_at_most() -> None:
    assert prompts_worth_having(1000, 8) == (5, 125)


def test_what_was_taught_adds_up() -> None:
    assert cumulated([0.5, 0.25], 64) == [0.0, 32.0, 48.0]
