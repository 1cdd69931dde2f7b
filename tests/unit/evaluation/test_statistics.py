import math

import pytest

from backsight.evaluation.statistics import estimate, spearman, student_p, student_quantile


def test_wilson_interval_of_shares() -> None:
    # 8 of 10, worked out by hand: centre 0.7168, margin 0.2265
    result = estimate([1.0] * 8 + [0.0] * 2)
    assert (result.mean, result.count) == (0.8, 10)
    assert (result.low, result.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))


def test_no_success_still_has_an_upper_end() -> None:
    result = estimate([0.0] * 100)
    assert result.low == 0 and 0.03 < result.high < 0.04


def test_bootstrap_elsewhere_is_deterministic_and_covers_the_mean() -> None:
    values = [0.1, 0.4, 0.35, 0.8, 0.5, 0.2]
    first, second = estimate(values), estimate(values)
    assert first == second
    assert first.low < first.mean < first.high


def test_nothing_has_no_mean() -> None:
    with pytest.raises(ValueError, match="nothing"):
        estimate([])


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.7062), (2, 4.3027), (4, 2.7764), (30, 2.0423), (200, 1.9719), (1e9, 1.9623)]
)
def test_student_by_the_tables(freedom: float, quantile: float) -> None:
    assert student_quantile(freedom) == pytest.approx(quantile, abs=2e-4)
    assert student_p(-quantile, freedom) == pytest.approx(0.05, abs=2e-5)
    assert student_p(0.0, freedom) == pytest.approx(1.0)


def test_spearmans_correlation_by_hand() -> None:
    assert spearman([1, 2, 3], [10, 20, 400]) == pytest.approx(1.0)
    assert spearman([1, 2, 3], [3, 2, -9]) == pytest.approx(-1.0)
    # ranks 1.5, 1.5, 3, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5)
    assert spearman([7, 7, 8, 9], [1, 2, 3, 4]) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)
    assert math.isnan(spearman([1, 1], [1, 2]))
