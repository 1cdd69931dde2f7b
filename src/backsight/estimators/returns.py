"""What an episode earned, seen from each of its steps. S steps of a trajectory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def discounted_returns(rewards: Sequence[float], discount: float) -> Tensor:
    """Reward-to-go G_t = Σ_k γ^k r_{t+k}, shape (S,)."""
    returns = []
    to_go = 0.0
    for reward in reversed(rewards):
        to_go = reward + discount * to_go
        returns.append(to_go)
    return torch.tensor(returns[::-1])
