"""Factors of advantages, and how far words move a policy."""

import torch
from unit.hindsight.fakes import FAILURE, SUCCESS, FakeScorer, approx, attempt, group_of

from backsight.hindsight.advantage.token_sizes import mean_one, multiply, shifts_by_words
from backsight.hindsight.base import Exchange, number_attempts
from backsight.hindsight.hints import Hints
from backsight.types import AttemptKey


def test_factors_have_the_mean_one() -> None:
    assert mean_one(torch.tensor([1.0, 2.0, 6.0])).tolist() == approx([[1 / 3, 2 / 3, 2.0]])[0]


def test_what_has_no_factors_stays() -> None:
    groups = number_attempts([group_of(attempt((1, 2), SUCCESS), attempt((3, 4), FAILURE))])
    (changed,) = multiply(groups, {AttemptKey(0, 1): torch.tensor([0.5, 2.0])})
    assert [each.tolist() for each in changed.advantages] == [[0.5, 0.5], [-0.25, -1.0]]
    assert [each.tolist() for each in groups[0].advantages] == [[0.5, 0.5], [-0.5, -0.5]]


def test_all_words_about_all_attempts_are_asked_at_once_and_each_compared_with_its_own() -> None:
    groups = number_attempts(
        [group_of(attempt((1,), SUCCESS), attempt((2, 3), FAILURE, log_probs=[-1.0, -2.0])), group_of(attempt((4,)))]
    )
    asked: list[Exchange] = []

    def log_prob(exchange: Exchange) -> torch.Tensor:
        asked.append(exchange)
        return torch.full((len(exchange[1][0]),), -float(len(asked)))

    shifts = shifts_by_words(groups, FakeScorer(log_prob), Hints(), lambda attempt, group: ["one", "two"])
    assert [prompts for prompts, _ in asked] == [("one\nasked",), ("two\nasked",)] * 2
    assert {key: [each.tolist() for each in own] for key, own in shifts.items()} == {
        AttemptKey(0, 0): approx([[-1 + 0.1], [-2 + 0.1]]),
        AttemptKey(0, 1): approx([[-2.0, -1.0], [-3.0, -2.0]]),
    }
