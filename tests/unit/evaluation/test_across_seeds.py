import pytest

from backsight.evaluation.across_seeds import average_over_seeds, band, seed_scores


def test_items_are_averaged_over_the_seeds_that_scored_them() -> None:
    assert average_over_seeds([[1.0, 0.0, None], [0.0, None, None]]) == [0.5, 0.0, None]


def test_scores_over_items_and_by_seed() -> None:
    scores = seed_scores([[1.0, 0.0], [1.0, 1.0]])
    assert scores is not None
    assert (scores.estimate.mean, scores.estimate.count) == (0.75, 2)
    assert scores.by_seed == (0.5, 1.0)
    assert seed_scores([[None], [None]]) is None


def test_a_band_reaches_from_the_worst_seed_to_the_best() -> None:
    curve = band([[(0, 0.0), (10, 1.0)], [(0, 0.0), (10, 0.5)]])
    assert (curve.used, curve.mean, curve.low, curve.high) == ((0, 10), (0.0, 0.75), (0.0, 0.5), (0.0, 1.0))


def test_runs_of_different_lengths_are_shown_as_far_as_the_shortest_goes() -> None:
    curve = band([[(0, 0.0), (4, 0.4)], [(0, 0.2), (8, 1.0)]])
    assert curve.used == (0, 4)
    assert curve.mean == pytest.approx((0.1, 0.5))
    assert curve.high == pytest.approx((0.2, 0.6)), "halfway along a straight line"
