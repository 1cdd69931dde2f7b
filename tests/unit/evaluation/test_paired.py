"""Two policies on the same items."""

import itertools
import random

import numpy
import pytest

from backsight.evaluation.paired import compare_scores


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1, 1, 1], 2 / 8),  # of eight patterns of signs, +++ and --- are as far from 0
        ([3, 1, -1], 6 / 8),  # |±3±1±1| is 1 in two patterns, at least 3 in the others
        ([1, -1], 1.0),
        ([0.1, 0.1, 0.1, 0.0, 0.0], 2 / 8),  # sums of tenths differ by rounding; zeros have no sign
        ([0, 0], 1.0),
    ],
)
def test_the_exact_p_by_hand(differences: list[float], p: float) -> None:
    found = compare_scores([0.0] * len(differences), differences)
    assert found is not None
    assert found.p == p
    assert found.difference.mean == pytest.approx(sum(differences) / len(differences))


def test_the_same_twice_does_not_differ() -> None:
    found = compare_scores([0.0, 1.0, 0.5], [0.0, 1.0, 0.5])
    assert found is not None
    assert (found.difference.mean, found.difference.low, found.difference.high, found.p) == (0, 0, 0, 1)
    assert not found.rises() and not found.falls()


def test_only_items_that_both_have_are_compared() -> None:
    found = compare_scores([None, 1.0, 0.0, 5.0], [9.0, 2.0, 2.0, None])
    assert found is not None
    assert (found.baseline, found.policy, found.difference.mean, found.difference.count) == (0.5, 2.0, 1.5, 2)
    assert compare_scores([None, 1.0], [1.0, None]) is None


def test_changing_sides_changes_the_sign_and_nothing_else() -> None:
    rng = random.Random(0)
    one, two = ([rng.random() for _ in range(40)] for _ in range(2))
    there, back = compare_scores(one, two), compare_scores(two, one)
    assert there is not None and back is not None
    assert there.p == back.p
    assert there.difference.low == pytest.approx(-back.difference.high)
    assert there == compare_scores(one, two), "the same seed each time"


def test_random_flips_agree_with_all_flips() -> None:
    differences = numpy.random.default_rng(1).normal(0.3, 1.0, 14)  # one more than is done exactly
    signs = numpy.array(list(itertools.product((-1, 1), repeat=14)))
    exact = float((abs(signs @ abs(differences)) >= abs(differences.sum()) - 1e-9).mean())
    found = compare_scores([0.0] * 14, differences.tolist())
    assert found is not None
    assert found.p == pytest.approx(exact, abs=0.02)


def test_a_difference_on_every_item_is_significant() -> None:
    found = compare_scores([0.0] * 100, [0.1] * 100)
    assert found is not None
    assert found.p == 1 / 10_001, "never 0: what was observed is one of the patterns"
    assert found.rises() and not found.falls()


def test_where_nothing_changed_five_in_a_hundred_are_significant() -> None:
    generator = numpy.random.default_rng(0)
    found = [compare_scores([0.0] * 10, generator.normal(size=10).tolist()) for _ in range(400)]
    share = sum(each is not None and each.p <= 0.05 for each in found) / len(found)
    assert 0.025 <= share <= 0.075


def test_the_rounding_of_sums_is_no_difference() -> None:
    """On 20 items that all differ by one rounding, a test of signs would be as sure as it can be."""
    found = compare_scores([0.1, 1e6 * 0.1] * 10, [0.1 + 1.5e-17, 1e6 * (0.3 - 0.2)] * 10)
    assert found is not None
    assert (found.p, found.difference.mean) == (1.0, 0.0)
    assert not found.rises() and not found.falls()
