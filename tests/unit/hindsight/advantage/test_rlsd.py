"""Advantages stretched by a teacher that was told, less and less as the run goes on."""

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

from backsight.hindsight.advantage.options import RLSDOptions
from backsight.types import Feedback

TOLD_FAILURE, TOLD_SUCCESS = (Feedback(reward=reward, correction="right") for reward in (0.0, 1.0))


def test_advantages_are_stretched_in_the_direction_of_the_reward() -> None:
    group = group_of(attempt((1, 2), TOLD_FAILURE), attempt((3, 4), TOLD_SUCCESS))
    scorer = FakeScorer(teacher_log_prob=lambda _: torch.tensor([-0.2, -3.0]))  # shifts of -0.1 and -2.9
    up, down = math.exp(0.1), math.exp(-0.1)
    assert give_credit(RLSDOptions(), group, scorer) == approx(
        [[-0.5 * (0.5 + 0.5 * up), -0.5 * (0.5 + 0.5 * 1.2)], [0.5 * (0.5 + 0.5 * down), 0.5 * (0.5 + 0.5 * 0.8)]]
    )


def test_the_teachers_share_fades_and_a_resumed_run_goes_on_where_it_was() -> None:
    options = RLSDOptions(share_steps=2)
    method, resumed = options.build(), options.build()
    told = group_of(attempt((1,), TOLD_FAILURE), attempt((2,), TOLD_SUCCESS))
    scorer = FakeScorer(teacher_log_prob=lambda _: torch.tensor([-3.0]))  # a shift of -2.9: factors of 1.2 and 0.8
    shares = []
    for _ in range(3):
        resumed.load_state(method.state())
        credit = give_credit(method, told, scorer)
        assert give_credit(resumed, told, scorer) == credit
        (failed,), (succeeded,) = credit  # -0.5·(1 + 0.2·λ) and 0.5·(1 - 0.2·λ)
        shares.append([(-2 * failed - 1) / 0.2, (1 - 2 * succeeded) / 0.2])
    assert shares == [pytest.approx([share, share], abs=1e-5) for share in (0.5, 0.25, 0.0)]
    group = group_of(attempt((1,), SUCCESS), attempt((2,), FAILURE))
    assert give_credit(method, group, FakeScorer(teacher_log_prob=refuse)) == [[0.5], [-0.5]]


def test_what_does_not_fit_into_the_context_is_not_asked() -> None:
    group = group_of(episode("a", [0], feedback=SUCCESS), *(episode("b", [0]) for _ in range(2)))
    assert give_credit(RLSDOptions(), group, Cramped(refuse, refuse)) == [each.tolist() for each in group.advantages]
