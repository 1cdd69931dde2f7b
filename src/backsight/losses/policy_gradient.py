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


def truncated(
    log_probs_N: Tensor, behaviour_log_probs_N: Tensor, advantages_N: Tensor, cap: float
) -> tuple[Tensor, Tensor]:
    """-sg(min(ρ, cap))·A·log π with ρ = π/behaviour: for data of a policy that is no longer, or not quite, this one.

    Truncated importance sampling (Ionides 2008; ρ̄ of V-trace, Espeholt 2018, arXiv:1802.01561, eq. 1): unbiased below
    the cap, and above it no sample weighs more than `cap`. Returns the losses and which weights were cut, both (N,).
    """
    ratio_N = (log_probs_N - behaviour_log_probs_N).detach().exp()
    return -ratio_N.clamp(max=cap) * advantages_N * log_probs_N, ratio_N > cap
