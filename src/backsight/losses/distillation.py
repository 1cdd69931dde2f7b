"""Distance from a teacher's distribution at each decision. N decisions, K actions that are compared."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOWEST = -50.0
"""Log-probability of what cannot be drawn: a difference of two infinities would be none."""
SMALLEST_TAIL = 1e-6
"""What is left beside the K actions may round to nothing."""


def divergence(log_probs_NK: Tensor, teacher_log_probs_NK: Tensor, alpha: float) -> Tensor:
    """D_α(S, T), (N,), over the K actions and one more for all others together, which gets what is left of 1.

    D_0 = KL(T‖S), D_1 = KL(S‖T), and between them (1-α)·KL(S‖M) + α·KL(T‖M) with M = (1-α)·S + α·T: the generalised
    Jensen-Shannon divergence of GKD (Agarwal 2023, arXiv:2306.13649), SDPO (arXiv:2601.20802) and OPSD
    (arXiv:2601.18734).
    """
    student, teacher = _with_tail(log_probs_NK), _with_tail(teacher_log_probs_NK)
    if alpha == 0:
        return _kl(teacher, student)
    if alpha == 1:
        return _kl(student, teacher)
    mixture = torch.logaddexp(student + math.log(1 - alpha), teacher + math.log(alpha))
    return (1 - alpha) * _kl(student, mixture) + alpha * _kl(teacher, mixture)


def _with_tail(log_probs_NK: Tensor) -> Tensor:
    """(N, K+1)"""
    rest_N1 = 1 - log_probs_NK.exp().sum(-1, keepdim=True)
    return torch.cat([log_probs_NK.clamp(min=LOWEST), rest_N1.clamp(min=SMALLEST_TAIL).log()], -1)


def _kl(of: Tensor, to: Tensor) -> Tensor:
    return (of.exp() * (of - to)).sum(-1)
