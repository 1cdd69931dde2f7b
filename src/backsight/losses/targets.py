"""Distances of the policy from a target: a given response, a teacher, a reference.

Each gives one number a decision, not yet reduced. Tensors: N decisions, K actions that are compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

LOWEST = -50.0
"""Log-probability of what cannot be drawn, because infinities cannot be subtracted."""
SMALLEST_TAIL = 1e-6
"""Least probability of all actions but the K together, which may round to zero."""


def imitation(log_probs_N: Tensor, uniform_log_probs_N: Tensor | None = None, label_smoothing: float = 0.0) -> Tensor:
    """Calculate -(1-s)·log π(a) - s·mean over actions of log π, (N,), with smoothing s (Szegedy 2016,
    arXiv:1512.00567).

    Supervised fine-tuning and learning from relabelled episodes are this loss on different examples.
    """
    if label_smoothing == 0:
        return -log_probs_N
    if uniform_log_probs_N is None:
        raise ValueError("label smoothing needs the mean log-probabilities")
    return -(1 - label_smoothing) * log_probs_N - label_smoothing * uniform_log_probs_N


def distillation(log_probs_NK: Tensor, teacher_log_probs_NK: Tensor, alpha: float, clip: float | None = None) -> Tensor:
    """Calculate D_α(S, T), (N,), of student S and teacher T, over the K actions and one more that stands for all
    others and has the rest of the probability.

    D_0 = KL(T‖S), D_1 = KL(S‖T), and between them (1-α)·KL(S‖M) + α·KL(T‖M) with M = (1-α)·S + α·T: the generalised
    Jensen-Shannon divergence of GKD (Agarwal 2023, arXiv:2306.13649), SDPO (arXiv:2601.20802) and OPSD
    (arXiv:2601.18734). With `clip`, no action adds more than that (OPSD's jsd_token_clip).
    """
    student, teacher = _add_tail(log_probs_NK), _add_tail(teacher_log_probs_NK)
    if alpha == 0:
        terms = _kl_terms(teacher, student)
    elif alpha == 1:
        terms = _kl_terms(student, teacher)
    else:
        mixture = torch.logaddexp(student + math.log(1 - alpha), teacher + math.log(alpha))
        terms = (1 - alpha) * _kl_terms(student, mixture) + alpha * _kl_terms(teacher, mixture)
    return (terms if clip is None else terms.clamp(max=clip)).sum(-1)


def later_cross_entropy(
    log_probs_NK: Tensor, teacher_log_probs_NK: Tensor, weights_N: Tensor, lengths: Sequence[int]
) -> Tensor:
    """Calculate what the decisions of each example after each one cost, Σ_{s>t} w_s·CE(T_s, S_s), (N,), without
    gradient, where CE(T, S) = -Σ T·log S over the K actions and one more that stands for all others.

    Times log π(a_t) it is the part of the gradient of E[Σ_t w_t·CE(T_t, S_t)] that comes from the states that π leads
    to (DistIL, arXiv:2606.05152). `lengths` are the numbers of decisions of the examples.
    """
    student, teacher = _add_tail(log_probs_NK.detach()), _add_tail(teacher_log_probs_NK)
    costs = torch.split(-(teacher.exp() * student).sum(-1) * weights_N, list(lengths))
    return torch.cat([each.flip(0).cumsum(0).flip(0) - each for each in costs])


def reference_kl(log_probs_N: Tensor, reference_log_probs_N: Tensor) -> Tensor:
    """Calculate the estimator k3 = exp(Δ) - Δ - 1, (N,), with Δ = log π_ref - log π, of the divergence KL(π‖π_ref) from
    a frozen reference: never negative, and unbiased on the policy's own data.

    Its value is unbiased, its gradient is not: it is that of the forward divergence KL(π_ref‖π), which is what GRPO
    minimises (arXiv:2402.03300, eq. 4). The gradient of ρ·k3, with ρ = π/behaviour, is that of KL(π‖π_ref), as Δ²/2 has
    it on the policy's own data (http://joschu.net/blog/kl-approx.html; Tang & Munos, arXiv:2506.09477).
    """
    difference_N = reference_log_probs_N - log_probs_N
    return difference_N.exp() - difference_N - 1


def _add_tail(log_probs_NK: Tensor) -> Tensor:
    """Append the probability of all other actions, (N, K+1)."""
    rest_N1 = 1 - log_probs_NK.exp().sum(-1, keepdim=True)
    return torch.cat([log_probs_NK.clamp(min=LOWEST), rest_N1.clamp(min=SMALLEST_TAIL).log()], -1)


def _kl_terms(of: Tensor, to: Tensor) -> Tensor:
    return of.exp() * (of - to)
