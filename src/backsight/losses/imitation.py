"""Imitation: make a given response more likely. N decisions."""

from __future__ import annotations

from torch import Tensor


def imitation(log_probs_N: Tensor, uniform_log_probs_N: Tensor | None = None, label_smoothing: float = 0.0) -> Tensor:
    """-(1-s)·log π(a) - s·mean over actions of log π, with smoothing s (Szegedy 2016, arXiv:1512.00567).

    Supervised fine-tuning and learning from relabelled episodes are this loss on different examples.
    """
    if label_smoothing == 0:
        return -log_probs_N
    if uniform_log_probs_N is None:
        raise ValueError("label smoothing needs the mean log-probabilities")
    return -(1 - label_smoothing) * log_probs_N - label_smoothing * uniform_log_probs_N
