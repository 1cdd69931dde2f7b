"""At least one success in k attempts."""

import itertools

import pytest
import torch

from backsight.evaluation.pass_at_k import item_passes, pass_at_k
from backsight.types import Action, Feedback, Step, Trajectory


def attempts(*successes: bool | None) -> list[Trajectory]:
    step = Step("", Action((1,), torch.zeros(1), "x"))
    return [Trajectory(None, (step,), Feedback(success=success)) for success in successes]


@pytest.mark.parametrize(
    ("num_attempts", "successes", "k", "share"),
    [
        (4, 1, 2, 0.5),  # of six pairs, three have the success
        (5, 2, 3, 0.9),  # of ten triples, one has none
        (10, 3, 1, 0.3),
        (4, 0, 4, 0.0),
        (4, 3, 2, 1.0),  # one failure is not enough for a pair of them
    ],
)
def test_by_hand(num_attempts: int, successes: int, k: int, share: float) -> None:
    assert pass_at_k(num_attempts, successes, k) == pytest.approx(share)
    outcomes = [True] * successes + [False] * (num_attempts - successes)
    drawn = [any(some) for some in itertools.combinations(outcomes, k)]
    assert sum(drawn) / len(drawn) == pytest.approx(share)


def test_every_power_of_two_and_the_number_of_attempts() -> None:
    found = item_passes([attempts(True, False, False, False, True), attempts(*[False] * 5)])
    assert found == {
        "pass@1": [pytest.approx(0.4), 0.0],
        "pass@2": [pytest.approx(0.7), 0.0],
        "pass@4": [1.0, 0.0],
        "pass@5": [1.0, 0.0],
    }


def test_an_unknown_success_is_no_failure() -> None:
    assert item_passes([attempts(True, None), attempts(True, True)])["pass@1"] == [None, 1.0]
    assert item_passes([attempts(None, None)]) == {}


def test_one_attempt_is_no_sample() -> None:
    assert item_passes([attempts(True)]) == item_passes([]) == {}
