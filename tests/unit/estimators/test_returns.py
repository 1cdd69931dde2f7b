import torch

from backsight.estimators.returns import discounted_returns


def test_reward_to_go_is_discounted_per_step() -> None:
    assert discounted_returns([1.0, 2.0, 4.0], 0.5).tolist() == [3.0, 4.0, 4.0]


def test_undiscounted_returns_sum_what_is_left() -> None:
    assert torch.equal(discounted_returns([1.0, 0.0, 2.0], 1.0), torch.tensor([3.0, 2.0, 2.0]))
