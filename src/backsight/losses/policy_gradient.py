"""Policy-gradient losses, one number a decision, not yet reduced. N decisions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def plain(log_probs_N: Tensor, advantages_N: Tensor) -> Tensor:
    """-A·log π: REINFORCE's gradient, right only for data of the current policy (Williams 1992)."""
    return -advantages_N * log_probs_N


def shaped(log_probs_N: Tensor, advantages_N: Tensor, gamma_N: Tensor) -> Tensor:
    """-A·π/(π + γ): for responses of somebody else. Its gradient fades where the policy would not have gone, so that
    nothing is pushed away without bound (LUFFY, arXiv:2504.14945; Critique-GRPO, arXiv:2506.03106, with γ = 0.1).
    """
    probs_N = log_probs_N.exp()
    return -advantages_N * probs_N / (probs_N + gamma_N)


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


def dual_clipped(
    log_probs_N: Tensor,
    behaviour_log_probs_N: Tensor,
    advantages_N: Tensor,
    epsilon: float,
    epsilon_high: float,
    delta: float,
) -> tuple[Tensor, Tensor]:
    """The clipped loss, for a negative advantage no more than `delta` times its size: max(g, delta·A) (Ye 2020,
    arXiv:1912.09729, eq. 5). Without it a bad decision that has become likely weighs as much as its ratio is large.
    """
    losses_N, held_back_N = clipped(log_probs_N, behaviour_log_probs_N, advantages_N, epsilon, epsilon_high)
    most_N = -delta * advantages_N
    is_cut_N = (advantages_N < 0) & (losses_N > most_N)
    return torch.where(is_cut_N, most_N, losses_N), held_back_N | is_cut_N


def weighted(
    log_probs_N: Tensor, behaviour_log_probs_N: Tensor, advantages_N: Tensor, low: float, high: float
) -> tuple[Tensor, Tensor]:
    """-sg(clip(ρ, low, high))·A·log π with ρ = π/behaviour: no decision loses its gradient, none weighs too much.

    With low = 0, truncated importance sampling (Ionides 2008; ρ̄ of V-trace, Espeholt 2018, arXiv:1802.01561, eq. 1)
    for data of a policy that is no longer, or not quite, this one: unbiased below the cap. With both bounds, CISPO
    (MiniMax-M1 2025, arXiv:2506.13585, eq. 4). Returns the losses and which weights were cut, both (N,).
    """
    ratio_N = (log_probs_N - behaviour_log_probs_N).detach().exp()
    return -ratio_N.clamp(low, high) * advantages_N * log_probs_N, (ratio_N < low) | (ratio_N > high)


def soft_gated(
    log_probs_N: Tensor,
    behaviour_log_probs_N: Tensor,
    advantages_N: Tensor,
    temperature_pos: float,
    temperature_neg: float,
) -> tuple[Tensor, Tensor]:
    """-(4/τ)·σ(τ(ρ - 1))·A, with one τ for positive and one for other advantages: a clip that fades (SAPO, Gao 2025,
    arXiv:2511.20347). At ρ = 1 its gradient is the plain one. Nothing is ever held back altogether.
    """
    ratio_N = (log_probs_N - behaviour_log_probs_N).exp()
    tau_N = torch.where(advantages_N > 0, temperature_pos, temperature_neg)
    return -torch.sigmoid(tau_N * (ratio_N - 1)) * 4 / tau_N * advantages_N, torch.zeros_like(ratio_N).bool()


def mean_of_each(values_N: Tensor, lengths: Sequence[int]) -> Tensor:
    """(N,) every decision gets the mean over its example: of log-ratios, the logarithm of GSPO's sequence ratio
    (π(y)/behaviour(y))^(1/T) (Zheng 2025, arXiv:2507.18071, eq. 7)."""
    parts = torch.split(values_N, list(lengths))
    return torch.cat([part.mean().expand(len(part)) for part in parts])
