"""The contrast between right answers and wrong ones, added to the advantage."""

import math

import pytest
import torch
from unit.hindsight.fakes import (
    FAILURE,
    SUCCESS,
    Cramped,
    FakeScorer,
    approx,
    attempt,
    episode,
    give_credit,
    group_of,
    refuse,
)

from backsight.hindsight.advantage.options import RLCSDOptions
from backsight.hindsight.base import Exchange

RIGHT_AND_WRONG = {"r": 0.5, "v": 0.3, "w": 0.1}


def by_answer(asked: Exchange) -> torch.Tensor:
    """The first token depends on the answer that is shown, the second does not."""
    shown = asked[0][0].splitlines()[0][-1]
    return torch.tensor([math.log(RIGHT_AND_WRONG[shown]), -1.0])


def test_the_contrast_is_added_and_the_sign_is_kept() -> None:
    kinds = {"r": SUCCESS, "r ": SUCCESS, "v": FAILURE, "w": FAILURE}
    group = group_of(*(attempt((1, 2), each, text=text) for text, each in kinds.items()))
    scorer = FakeScorer(teacher_log_prob=by_answer)
    # successes see r against v and w: log 0.5 - log 0.2; the failure v sees r against w, the failure w r against v
    success, failures = math.log(0.5 / 0.2), (math.log(0.5 / 0.1), math.log(0.5 / 0.3))
    # half of the tokens change, and each half has a mean of its own: twice their share in one mean
    result = give_credit(RLCSDOptions(strength=0.4, temperature=1.0), group, scorer)
    assert result == approx(
        [[1.0 + 0.8 * math.tanh(success), 1.0]] * 2 + [[-1.0 + 0.8 * math.tanh(each), -1.0] for each in failures]
    )
    # with a strength above |A| the failures' first token ends at 0, not above
    result = give_credit(RLCSDOptions(strength=2.0), group, scorer)
    assert result == approx([[5.0, 1.0]] * 2 + [[0, -1.0]] * 2)
    result = give_credit(RLCSDOptions(num_wrong=1, temperature=1.0), group, scorer)
    assert result[0] == pytest.approx([1.0 + math.tanh(math.log(0.5 / 0.3)), 1.0])
    result = give_credit(RLCSDOptions(strength=0.4, threshold=0.4), group, scorer)
    assert result == approx([[0.5, 0.5]] * 2 + [[-0.5, -0.5]] * 2)


def test_what_has_no_right_or_no_wrong_sibling_is_left_alone() -> None:
    group = group_of(attempt((1, 2), SUCCESS, text="r"), attempt((1, 2), FAILURE, text="w"))
    assert give_credit(RLCSDOptions(), group) == [[0.5, 0.5], [-0.5, -0.5]]


def test_what_does_not_fit_into_the_context_is_not_asked() -> None:
    group = group_of(episode("a", [0], feedback=SUCCESS), *(episode("b", [0]) for _ in range(2)))
    assert give_credit(RLCSDOptions(), group, Cramped(refuse, refuse)) == [each.tolist() for each in group.advantages]
