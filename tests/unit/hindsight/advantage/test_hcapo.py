"""Steps scored again in the light of the end."""

import math

import numpy as np
import pytest
import torch
from unit.hindsight.fakes import (
    SUCCESS,
    Cramped,
    FakeScorer,
    approx,
    episode,
    give_credit,
    group_of,
    make_rows,
    refuse,
)

from backsight.errors import ConfigError
from backsight.hindsight.advantage.options import HCAPOOptions
from backsight.hindsight.base import Exchange
from backsight.types import Feedback

REACHED = Feedback(success=True)
"""The environment has paid already."""


def by_attempt(log_probs: dict[str, list[float]], discount: float = 1.0) -> FakeScorer:
    """Log-probabilities by the first prompt of an attempt, which its last line names."""
    return FakeScorer(log_prob=lambda asked: torch.tensor(log_probs[asked[0][0].splitlines()[-1]]), discount=discount)


def test_steps_that_are_likelier_in_the_light_of_the_end_are_credited() -> None:
    group = group_of(episode("ab", [0, 1], feedback=REACHED), episode("cd", [0, 0]))
    scorer = by_attempt({"a": [math.log(0.6), math.log(0.2)], "c": [-1.0, -2.0]}, discount=0.5)
    # h = 0.6, 0.2, so ρ = 1.5 → 1.2, 0.5 → 0.8; Q = 1.2·0.5, 0.8; 0, 0
    mean, deviation = 0.35, math.sqrt((0.25**2 + 0.45**2 + 2 * 0.35**2) / 4)
    late = (0.8 - mean) / deviation
    result = give_credit(HCAPOOptions(temperature=1.0), group, scorer)
    assert result == approx([[0.5 + 0.25 / deviation, 0.5 + late], [-0.5 - mean / deviation] * 2])
    # smoothing: Q = 0.7, 0.8
    mean, deviation = 0.375, math.sqrt((0.325**2 + 0.425**2 + 2 * 0.375**2) / 4)
    result = give_credit(HCAPOOptions(temperature=1.0, smoothing=True), group, scorer)
    assert result[0] == pytest.approx([0.5 + 0.325 / deviation, 0.5 + 0.425 / deviation], abs=1e-4)


def test_the_likelihood_of_a_step_is_the_mean_over_its_tokens() -> None:
    long = episode("ab", [0, 1], 2, REACHED)
    log_probs = [math.log(0.9), math.log(0.4), math.log(0.6), math.log(0.6)]  # √0.36 = 0.6, twice
    # Q is 1 for both steps: no difference, no credit
    assert give_credit(HCAPOOptions(), group_of(long), by_attempt({"a": log_probs})) == [[0.0] * 4]


def test_a_success_is_done_no_harm() -> None:
    better, worse = Feedback(reward=2.0, success=True), Feedback(reward=1.0, success=True)
    group = group_of(episode("a", [0], feedback=better), episode("b", [0], feedback=worse))
    # Q = 2 and 1: credit ±1, of which -1 is taken back
    assert give_credit(HCAPOOptions(), group) == approx([[0.5 + 1], [-0.5]])


def test_what_came_of_it_is_shown_or_else_the_end() -> None:
    seen: list[Exchange] = []

    def log_prob(asked: Exchange) -> torch.Tensor:
        seen.append(asked)
        return torch.zeros(2)

    told = Feedback(reward=0.0, outcome="the door stayed shut")
    group = group_of(episode("ab", [0, 0], feedback=told), episode("cd", [0, 0]))
    give_credit(HCAPOOptions(), group, FakeScorer(log_prob))
    assert seen[0][0] == ("How it ended: the door stayed shut\na", "How it ended: the door stayed shut\nb")
    assert seen[1][0][0] == "How it ended: d\nmove\nc"


def test_what_does_not_fit_into_the_context_is_not_asked() -> None:
    group = group_of(episode("a", [0], feedback=SUCCESS), *(episode("b", [0]) for _ in range(2)))
    # all steps are equally likely then: Q is 1, 0, 0, of mean 1/3 and deviation √2/3
    expected = approx([[2 / 3 + 2**0.5], [-1 / 3 - 0.5**0.5], [-1 / 3 - 0.5**0.5]])
    assert give_credit(HCAPOOptions(), group, Cramped(refuse, refuse)) == expected


def test_numbers_are_refused_with_a_remedy() -> None:
    with pytest.raises(ConfigError, match="hindsight: [a-z]+: .* use "):
        make_rows(HCAPOOptions(), group_of(episode([np.zeros(2, np.float32)], [0.0])))
