"""Distance from a frozen reference policy, estimated on the sampled decisions. N decisions."""

from __future__ import annotations

from torch import Tensor


def reference_kl(log_probs_N: Tensor, reference_log_probs_N: Tensor) -> Tensor:
    """The estimator k3 = exp(Δ) - Δ - 1 with Δ = log π_ref - log π: never negative, unbiased on the policy's own data.

    http://joschu.net/blog/kl-approx.html; the KL term of GRPO (arXiv:2402.03300, eq. 4).
    """
    difference_N = reference_log_probs_N - log_probs_N
    return difference_N.exp() - difference_N - 1
