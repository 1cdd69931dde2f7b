"""The distribution that a token is drawn from, one for the sampler and the learner: were it two, ratios would be wrong.

Tensors: N decisions, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from backsight.types import Sampling


def behaviour_logits(
    logits_NV: Tensor,
    sampling: Sampling,
    positions_N: Tensor,
    end_tokens: Sequence[int],
    taken_N: Tensor | None = None,
) -> Tensor:
    """Logits divided by the temperature, -inf where a token cannot be drawn; temperature 0 is read as 1.

    In transformers' order: minimum length, temperature, top-k, top-p, min-p. `positions_N` counts the tokens of the
    completion before each decision. What was in fact taken stays possible, for the learner's weights may have moved
    since it was sampled.
    """
    if sampling.temperature not in (0, 1):
        logits_NV = logits_NV / sampling.temperature
    if not sampling.is_truncated:
        return logits_NV
    impossible_NV = torch.zeros_like(logits_NV, dtype=torch.bool)
    impossible_NV[:, list(end_tokens)] = (positions_N + 1 < sampling.min_completion_length)[:, None]
    allowed_NV = logits_NV.detach().masked_fill(impossible_NV, -torch.inf)
    impossible_NV = allowed_NV < _lowest_kept(allowed_NV, sampling)
    if taken_N is not None:
        impossible_NV.scatter_(-1, taken_N[:, None], False)
    return logits_NV.masked_fill(impossible_NV, -torch.inf)


def _lowest_kept(logits_NV: Tensor, sampling: Sampling) -> Tensor:
    """(N, 1) the logit of the least likely token that may be drawn: what is below it is cut off."""
    lowest_N1 = torch.full_like(logits_NV[:, :1], torch.finfo(logits_NV.dtype).min)
    if 0 < sampling.top_k < logits_NV.shape[-1]:
        lowest_N1 = logits_NV.topk(sampling.top_k, -1).values[:, -1:]
    if sampling.top_p < 1:
        sorted_NV = logits_NV.masked_fill(logits_NV < lowest_N1, -torch.inf).sort(-1, descending=True).values
        probs_NV = sorted_NV.softmax(-1)
        # the token with which the sum passes top_p is the last that stays; the first always does
        is_kept_NV = probs_NV.cumsum(-1) - probs_NV < sampling.top_p
        last_N1 = is_kept_NV.sum(-1, keepdim=True).clamp(min=1) - 1
        lowest_N1 = torch.maximum(lowest_N1, sorted_NV.gather(-1, last_N1))
    if sampling.min_p > 0:
        best_N1 = logits_NV.max(-1, keepdim=True).values
        lowest_N1 = torch.maximum(lowest_N1, best_N1 + torch.tensor(sampling.min_p).log())
    return lowest_N1
