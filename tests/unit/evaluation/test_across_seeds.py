from typing import Any

import numpy
import pytest

from backsight.evaluation.across_seeds import average_over_seeds, band, compare_over_seeds, seed_scores
from backsight.evaluation.paired import compare_scores
from backsight.evaluation.statistics import LEVEL, student_p


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


SCORES = numpy.ndarray[Any, numpy.dtype[numpy.float64]]


def runs(generator: numpy.random.Generator, chances_I: SCORES, seeds: int, deviation: float) -> list[list[float]]:
    """Right answers of some runs of a method, whose chance of each item is shifted by the luck of the run."""
    shifted = [numpy.clip(chances_I + generator.normal(0, deviation), 0, 1) for _ in range(seeds)]
    return [(generator.random(len(each)) < each).astype(float).tolist() for each in shifted]


@pytest.mark.parametrize("deviation", [0.0, 0.03, 0.05, 0.1])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_same_method_twice_is_significant_in_one_try_of_twenty(deviation: float, seeds: int) -> None:
    """Items alone would say so in 15, 27 and 51 % of the tries with three seeds."""
    generator, tries, significant, outside = numpy.random.default_rng(seeds), 500, 0, 0
    for _ in range(tries):
        chances_I = generator.uniform(0.2, 0.8, 200)
        one, two = (runs(generator, chances_I, seeds, deviation) for _ in range(2))
        found = compare_over_seeds(one, two)
        assert found is not None
        significant += found.p <= LEVEL
        outside += not found.difference.low <= 0 <= found.difference.high
    assert 0.025 <= significant / tries <= 0.08  # 5 % and three standard errors of 1 %
    assert significant == outside, "the interval says the same as the test"


def test_a_method_that_is_better_with_every_seed_is_found() -> None:
    generator = numpy.random.default_rng(0)
    chances_I = generator.uniform(0.2, 0.6, 200)
    found = compare_over_seeds(runs(generator, chances_I, 3, 0.03), runs(generator, chances_I + 0.3, 3, 0.03))
    assert found is not None and found.p < 0.01 and 0.2 < found.difference.low <= 0.3 <= found.difference.high < 0.5


def test_items_count_as_drawn_as_well() -> None:
    """Three runs that all say the same of four items: only the items are uncertain, and the runs add nothing."""
    found = compare_over_seeds([[0.0, 0.0, 0.0, 0.0]] * 3, [[1.0, 1.0, 1.0, 0.0]] * 3)
    assert found is not None
    assert found.p == pytest.approx(student_p(3.0, 3)), "a mean of 3/4 with a variance of 1/4 over 4 items"


def test_comparisons_without_chance() -> None:
    same = compare_over_seeds([[0.1, 0.7]] * 3, [[0.1, 0.7]] * 3)
    other = compare_over_seeds([[0.0, 0.0]] * 3, [[1.0, 1.0]] * 3)
    assert same is not None and other is not None
    assert (same.p, other.p) == (1.0, 0.0)


def test_an_item_that_a_run_did_not_score_is_left_out() -> None:
    found = compare_over_seeds([[0.0, 1.0, None], [0.0, 1.0, 5.0]], [[1.0, 1.0, 5.0], [1.0, None, 5.0]])
    assert found is not None
    assert (found.baseline, found.policy, found.difference.count) == (0.0, 1.0, 1)
    assert compare_over_seeds([[None], [1.0]], [[1.0], [1.0]]) is None


def test_one_seed_says_nothing_about_others() -> None:
    assert compare_over_seeds([[0.0, 1.0]], [[1.0, 1.0]]) == compare_scores([0.0, 1.0], [1.0, 1.0])


def test_the_interval_of_a_method_allows_for_other_seeds() -> None:
    scores = seed_scores([[0.5, 0.5], [0.7, 0.7], [0.9, 0.9]])
    assert scores is not None
    # the runs' deviation is 0.2, of their mean 0.2 / √3, and 4.303 of it are 95 % with two degrees of freedom
    assert scores.estimate.high - scores.estimate.mean == pytest.approx(4.3027 * 0.2 / 3**0.5, rel=1e-4)


@pytest.mark.parametrize("runs", [[[0.0], [0.0]], [[0.01], [0.0], [0.02]]])
def test_one_item_says_nothing_about_others(runs: list[list[float]]) -> None:
    found = compare_over_seeds(runs, [[1.0]] * len(runs))
    assert found is not None
    assert found.p == 1.0 and not found.rises()
