"""Generalised advantage estimation. T decisions of a trajectory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def generalised_advantages(
    rewards_T: Sequence[float], values_T: Sequence[float], discounts_T: Sequence[float], gae_lambda: float
) -> Tensor:
    """A_t = δ_t + γ_t·λ·A_{t+1} with δ_t = r_t + γ_t·V_{t+1} - V_t, and nothing after the end, (T,)
    (Schulman 2016, arXiv:1506.02438, eq. 16).

    `discounts_T` is γ where a step of the environment ends with the decision, and 1 within a step.
    """
    advantages: list[float] = []
    later_value = later_advantage = 0.0
    for reward, value, discount in zip(reversed(rewards_T), reversed(values_T), reversed(discounts_T), strict=True):
        delta = reward + discount * later_value - value
        later_advantage = delta + discount * gae_lambda * later_advantage
        later_value = value
        advantages.append(later_advantage)
    return torch.tensor(advantages[::-1])
