"""Credit for the rewards that an action makes likelier."""

import pytest
import torch
from unit.hindsight.fakes import FakeScorer, conveyor, give_credit, group_of, walk

from backsight.hindsight.advantage.options import CocoaOptions

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_key_is_credited_with_the_treasure_and_the_apples_with_nothing_else() -> None:
    group = group_of(*conveyor())
    credit_NS = torch.tensor(give_credit(CocoaOptions(hidden_size=64, num_updates=100), group, num_fits=3))
    rewards_NS = torch.tensor([each.rewards for each in group.trajectories])
    took_key_N = rewards_NS[:, 4] == 1
    # 1 - π/h = 1 - 0.5/1 of a treasure of 1; apples say nothing of the key
    assert torch.allclose(credit_NS[:, 0], 0.5 * took_key_N, atol=0.1)
    # an apple is worth itself, whatever comes later
    assert torch.allclose(credit_NS[:, 1:], rewards_NS[:, 1:], atol=0.15)


def test_what_comes_later_is_discounted() -> None:
    group = group_of(*(walk([0, 1, 1], [a, 0, 0], [0, 0, a], 2) for a in (0, 1)))
    options = CocoaOptions(hidden_size=64, num_updates=100)
    left, took = give_credit(options, group, FakeScorer(discount=0.5), num_fits=3)
    assert left == [0, 0, 0]
    # h = 1 at the first step, and at the second, where what was taken was the same each time: 1 - 0.5/1 for both
    assert took == pytest.approx([0.25 * 0.5, 0.5 * 0.5, 1.0], abs=0.02)
