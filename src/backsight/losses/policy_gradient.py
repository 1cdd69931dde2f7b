"""Policy-gradient losses, one number a decision, not yet reduced. N decisions."""

from __future__ import annotations

import torch
from torch import Tensor


def plain(log_probs_N: Tensor, advantages_N: Tensor) -> Tensor:
    """-A·log π: REINFORCE's gradient, right only for data of the current policy (Williams 1992)."""
    return -advantages_N * log_probs_N


def clipped(
    log_probs_N: Tensor,
    behaviour_log_probs_N: Tensor,
    advantages_N: Tensor,
    epsilon: float,
    epsilon_high: float,
) -> tuple[Tensor, Tensor]:
    """-min(ρA, clip(ρ, 1-ε, 1+ε_high)·A) with ρ = π/behaviour (Schulman 2017, arXiv:1707.06347).

    Returns the losses and which decisions the clip held back, both (N,).
    """
    ratio_N = (log_probs_N - behaviour_log_probs_N).exp()
    free_N = ratio_N * advantages_N
    bounded_N = ratio_N.clamp(1 - epsilon, 1 + epsilon_high) * advantages_N
    return -torch.minimum(free_N, bounded_N), bounded_N < free_N
