"""Log-probabilities of decisions, computed in chunks, so that the logits of all decisions are never held at once.

The backward pass computes each chunk again, unless all logits are few enough to be kept.

Tensors: N decisions, n those of a chunk, H hidden numbers, V vocabulary, K actions asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from backsight.policies.scoring.kept_logits import taken_log_probs
from backsight.types import Decisions, Sampling, ScoreRequest


def behaviour_logits(
    logits_NV: Tensor,
    sampling: Sampling,
    positions_N: Tensor,
    end_tokens: Sequence[int],
    taken_N: Tensor | None = None,
) -> Tensor:
    """Divide logits by the temperature, and set them to -inf where a token cannot be drawn; temperature 0 is read as 1.

    The order is that of transformers: minimum length, temperature, top-k, top-p, min-p. `positions_N` counts the tokens
    of the completion before each decision. A token of `taken_N` stays possible, because the learner's weights may have
    changed since it was sampled.
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
    """Return the logit of the least likely token that may be drawn, (N, 1): what is below it is cut off."""
    lowest_N1 = torch.full_like(logits_NV[:, :1], torch.finfo(logits_NV.dtype).min)
    if 0 < sampling.top_k < logits_NV.shape[-1]:
        lowest_N1 = logits_NV.topk(sampling.top_k, -1).values[:, -1:]
    if sampling.top_p < 1:
        sorted_NV = logits_NV.masked_fill(logits_NV < lowest_N1, -torch.inf).sort(-1, descending=True).values
        probs_NV = sorted_NV.softmax(-1)
        # the token with which the sum passes top_p is the last that stays; the first one always stays
        is_kept_NV = probs_NV.cumsum(-1) - probs_NV < sampling.top_p
        last_N1 = is_kept_NV.sum(-1, keepdim=True).clamp(min=1) - 1
        lowest_N1 = torch.maximum(lowest_N1, sorted_NV.gather(-1, last_N1))
    if sampling.min_p > 0:
        best_N1 = logits_NV.max(-1, keepdim=True).values
        lowest_N1 = torch.maximum(lowest_N1, best_N1 + torch.tensor(sampling.min_p).log())
    return lowest_N1


CHUNK_ELEMENTS = 2**25
"""Most logits that are held at the same time: 128 MiB in float32."""

KEPT_ELEMENTS = 2**27
"""Most logits that are kept for the backward pass in place of being computed again: 512 MiB in float32."""

Head = Callable[[Tensor], Tensor]
"""A function from hidden states (n, H) to logits (n, V)."""


@dataclass(frozen=True, slots=True)
class States:
    """The hidden states that a model computed at each decision, and what its head needs to score them."""

    head: Head
    vocabulary: int
    hidden_NH: Tensor
    tokens_N: Tensor
    """Tokens that were taken."""
    positions_N: Tensor
    """Number of tokens of the completion before each decision."""
    num_tokens: int
    """Number of tokens that went through the model."""
    weight_VH: Tensor | None = None
    """Weights of the head, if it does nothing but multiply by them; else None."""

    def can_keep_logits(self, sampling: Sampling, request: ScoreRequest) -> bool:
        """Return whether the logits may be kept, because nothing but the tokens taken is asked about.

        What that saves has been measured on a CPU in float32.
        """
        if self.weight_VH is None or sampling.is_truncated or request.asks_for_more:
            return False
        is_measured = self.hidden_NH.device.type == "cpu" and self.hidden_NH.dtype == torch.float32
        return (
            is_measured
            and self.weight_VH.dtype == torch.float32
            and len(self.tokens_N) * self.vocabulary <= KEPT_ELEMENTS
        )


def score(states: States, sampling: Sampling, end_tokens: Sequence[int], request: ScoreRequest) -> Decisions:
    """Compute the scores of all decisions, chunk by chunk."""
    size = max(1, CHUNK_ELEMENTS // states.vocabulary)
    is_one_chunk = len(states.tokens_N) <= size
    if not is_one_chunk and torch.is_grad_enabled() and states.can_keep_logits(sampling, request):
        assert states.weight_VH is not None
        temperature = sampling.temperature or 1.0
        taken_N = taken_log_probs(states.hidden_NH, states.weight_VH, states.tokens_N, temperature)
        return Decisions(taken_N, states.num_tokens)
    columns = [states.hidden_NH, states.tokens_N, states.positions_N]
    if request.support_NK is not None:
        columns.append(request.support_NK.to(states.tokens_N.device))
    chunks = list(zip(*(torch.split(each, size) for each in columns), strict=True))
    scored = partial(_score_rows, states.head, sampling, end_tokens, request)
    if is_one_chunk or not torch.is_grad_enabled():
        parts = [scored(*chunk) for chunk in chunks]
    else:
        parts = [checkpoint(scored, *chunk, use_reentrant=False) for chunk in chunks]
    log_probs_N, entropy_N, uniform_N, support_NK, support_log_probs_NK = (
        None if each[0] is None else torch.cat(each) for each in zip(*parts, strict=True)
    )
    assert log_probs_N is not None
    return Decisions(log_probs_N, states.num_tokens, entropy_N, uniform_N, support_NK, support_log_probs_NK)


_Scores = tuple[Tensor, Tensor | None, Tensor | None, Tensor | None, Tensor | None]


def _score_rows(
    head: Head,
    sampling: Sampling,
    end_tokens: Sequence[int],
    request: ScoreRequest,
    hidden_nH: Tensor,
    tokens_n: Tensor,
    positions_n: Tensor,
    asked_nK: Tensor | None = None,
) -> _Scores:
    """Score a chunk: log-probability, entropy, mean log-probability, some actions and their log-probabilities.

    What was not asked for is None. The actions are those of the whole distribution: what the sampler rules out is no
    less likely to the teacher that they are compared with.
    """
    raw_nV = head(hidden_nH).float()
    logits_nV = behaviour_logits(raw_nV, sampling, positions_n, end_tokens, tokens_n)
    log_probs_n = -nn.functional.cross_entropy(logits_nV, tokens_n, reduction="none")
    if not request.asks_for_more:
        return log_probs_n, None, None, None, None
    log_probs_nV = logits_nV.log_softmax(-1)
    possible_nV = log_probs_nV.isfinite()
    finite_nV = log_probs_nV.where(possible_nV, 0.0)
    entropy_n = -(log_probs_nV.exp() * finite_nV).sum(-1) if request.entropy else None
    uniform_n = finite_nV.sum(-1) / possible_nV.sum(-1) if request.uniform else None
    if not request.top_k and asked_nK is None:
        return log_probs_n, entropy_n, uniform_n, None, None
    whole_nV = log_probs_nV
    if sampling.is_truncated:
        whole_nV = behaviour_logits(raw_nV, sampling.whole, positions_n, end_tokens).log_softmax(-1)
    if request.top_k:
        asked_nK = whole_nV.detach().topk(min(request.top_k, whole_nV.shape[-1]), -1).indices
    assert asked_nK is not None
    return log_probs_n, entropy_n, uniform_n, asked_nK, whole_nV.gather(-1, asked_nK)
