"""Weight that is taken from the tokens which a verdict would change."""

import math

import numpy as np
import pytest
import torch
from unit.hindsight.fakes import (
    FAILURE,
    SUCCESS,
    Cramped,
    FakeScorer,
    approx,
    attempt,
    give_credit,
    group_of,
    make_rows,
    refuse,
)

from backsight.errors import ConfigError
from backsight.hindsight.advantage.options import CSCROptions
from backsight.hindsight.base import Exchange

GROUP = group_of(attempt((1, 2, 3), SUCCESS), attempt((4, 5, 6), FAILURE))
"""With the advantages 0.5 and -0.5; every token was sampled with -0.1."""


def by_verdict(asked: Exchange) -> torch.Tensor:
    """The first token moves by 0.6 and by -1.1, the second by 0.5 under both, the third by less than the threshold."""
    shifts = {"The answer is correct.": [0.6, 0.5, 0.05], "The answer is incorrect.": [-1.1, 0.5, -0.02]}
    verdict, prompt = asked[0][0].splitlines()
    assert prompt == "asked"
    return torch.tensor(shifts[verdict]) - 0.1


def test_weights_fall_with_the_larger_shift_and_their_mean_is_one() -> None:
    raw = [math.exp(-1.0), math.exp(-0.4), 1.0]
    weights = [3 * each / sum(raw) for each in raw]
    result = give_credit(CSCROptions(), GROUP, FakeScorer(by_verdict, refuse))
    assert result == approx([[0.5 * each for each in weights], [-0.5 * each for each in weights]])
    raw = [math.exp(-0.4), 1.0, 1.0]  # above a threshold of 0.7, in units of 1
    result = give_credit(CSCROptions(threshold=0.7), GROUP, FakeScorer(by_verdict))
    assert result[0] == pytest.approx([0.5 * 3 * each / sum(raw) for each in raw], abs=1e-4)


def test_no_shift_is_so_large_that_a_weight_is_no_number() -> None:
    scorer = FakeScorer(lambda asked: torch.tensor([-3000.0, -2000.0, -2500.0]))
    assert give_credit(CSCROptions(), GROUP, scorer) == approx([[0, 1.5, 0], [0, -1.5, 0]])


def test_what_has_no_advantage_or_no_room_is_not_asked() -> None:
    equal = group_of(attempt((1, 2), FAILURE), attempt((3, 4), FAILURE))
    assert give_credit(CSCROptions(), equal, FakeScorer(refuse, refuse)) == [[0, 0], [0, 0]]
    assert give_credit(CSCROptions(), GROUP, Cramped(refuse, refuse)) == [[0.5] * 3, [-0.5] * 3]


def test_a_policy_without_words_is_refused() -> None:
    group = group_of(attempt((1,), SUCCESS, prompt=np.zeros(2)))
    with pytest.raises(ConfigError, match="cscr: needs observations in text or chat messages; use gigpo"):
        make_rows(CSCROptions(), group)
