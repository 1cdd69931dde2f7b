"""Log-probabilities of the tokens that were taken, whose logits are kept for the backward pass in one tensor.

autograd by itself would keep or make four of that size: logits, their log-softmax, and a gradient of each. Chunks that
are computed again have smaller ones, but take another product with the output layer for every decision.

Tensors: N decisions, H hidden numbers, V vocabulary, n those that stay in the cache of a core together.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

ROWS_AT_ONCE = 8
"""Number of rows on which all is done before the next ones: some of a large vocabulary fit into a core's cache."""


class _TakenLogProbs(torch.autograd.Function):
    """The function of `taken_log_probs`."""

    @staticmethod
    def forward(ctx: Any, hidden_NH: Tensor, weight_VH: Tensor, tokens_N: Tensor, temperature: float) -> Tensor:
        log_probs_NV = torch.nn.functional.linear(hidden_NH, weight_VH)
        if temperature != 1:
            log_probs_NV.div_(temperature)
        torch.log_softmax(log_probs_NV, -1, out=log_probs_NV)
        ctx.save_for_backward(hidden_NH, weight_VH, tokens_N, log_probs_NV)
        ctx.temperature = temperature
        return log_probs_NV.gather(-1, tokens_N[:, None])[:, 0]

    @staticmethod
    def backward(ctx: Any, gradient_N: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        hidden_NH, weight_VH, tokens_N, kept_NV = ctx.saved_tensors  # it complains if a second pass finds them changed
        share_N1 = gradient_N[:, None] / ctx.temperature
        for kept_nV, share_n1 in zip(kept_NV.split(ROWS_AT_ONCE), share_N1.split(ROWS_AT_ONCE), strict=True):
            kept_nV.exp_().mul_(-share_n1)
        kept_NV.scatter_add_(-1, tokens_N[:, None], share_N1)
        to_hidden, to_weight = ctx.needs_input_grad[:2]
        to_hidden_NH = kept_NV @ weight_VH if to_hidden else None
        to_weight_VH = kept_NV.T @ hidden_NH if to_weight else None
        return to_hidden_NH, to_weight_VH, None, None


def taken_log_probs(hidden_NH: Tensor, weight_VH: Tensor, tokens_N: Tensor, temperature: float) -> Tensor:
    """Compute the log-probability of each token taken, (N,), under logits = hidden · weightᵀ / temperature.

    The backward pass overwrites what was kept: there can be one.
    """
    log_probs_N: Tensor = _TakenLogProbs.apply(hidden_NH, weight_VH, tokens_N, temperature)  # type: ignore[no-untyped-call]
    return log_probs_N
