"""Credit for what is likelier to have come of an action, on worlds small enough to know the answer."""

import itertools

import pytest
import torch
from unit.hindsight.fakes import FakeScorer, give_credit, group_of, walk

from backsight.hindsight.advantage.options import HCAOptions

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_return_that_was_chosen_is_told_from_one_that_was_drawn() -> None:
    chosen = [walk([0], [a], [float(a)], 2) for a in (0, 1)]
    drawn = [walk([1], [a], [float(z)], 2) for a, z in itertools.product((0, 1), repeat=2)]
    options = HCAOptions(hidden_size=64, num_updates=100)
    credit = [each for (each,) in give_credit(options, group_of(*chosen, *drawn), num_fits=3)]
    # h(1 | x, Z = 1) = 1 where it was chosen: (1 - 0.5/1)·1; h = π where it was drawn; a return of 0 has none to give
    assert credit == pytest.approx([0.0, 0.5, 0, 0, 0, 0], abs=0.15)


def test_what_led_to_the_state_of_a_reward_is_credited() -> None:
    choices = list(itertools.product((0, 1), repeat=2))
    # the first action decides the next state, 1 or 2; only 2 is rewarded, whatever is done there
    group = group_of(*(walk([0, 1 + a], [a, b], [0.0, float(a)], 3) for a, b in choices))
    options = HCAOptions(revealed="state", hidden_size=64, num_updates=100)
    credit_NS = torch.tensor(give_credit(options, group, FakeScorer(discount=0.5), num_fits=3))
    went_N = torch.tensor([float(a) for a, _ in choices])
    assert torch.allclose(credit_NS[:, 0], 0.5 * 0.5 * went_N, atol=0.05)
    assert torch.equal(credit_NS[:, 1], went_N)
