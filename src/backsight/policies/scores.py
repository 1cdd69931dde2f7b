"""Log-probabilities without the logits of all decisions at once: computed in chunks, recomputed in the backward pass.

Tensors: N decisions, n those of a chunk, H hidden numbers, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from backsight.policies.truncation import behaviour_logits
from backsight.types import Decisions, Sampling

CHUNK_ELEMENTS = 2**25
"""Logits that are held at the same time: 128 MiB in float32."""

Head = Callable[[Tensor], Tensor]
"""From hidden states (n, H) to logits (n, V)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to compute of each distribution besides the log-probability of what was taken."""

    sampling: Sampling
    end_tokens: Sequence[int]
    num_tokens: int
    """That went through the model."""
    entropy: bool
    uniform: bool


def score(
    head: Head, vocabulary: int, hidden_NH: Tensor, tokens_N: Tensor, positions_N: Tensor, wanted: Wanted
) -> Decisions:
    """The scores of all decisions. `positions_N` counts the tokens of the completion before each."""
    size = max(1, CHUNK_ELEMENTS // vocabulary)
    chunks: list[tuple[Tensor, Tensor, Tensor]] = list(
        zip(*(torch.split(each, size) for each in (hidden_NH, tokens_N, positions_N)), strict=True)
    )
    if len(chunks) == 1 or not torch.is_grad_enabled():
        parts = [_scored(head, *chunk, wanted) for chunk in chunks]
    else:
        parts = [checkpoint(_scored, head, *chunk, wanted, use_reentrant=False) for chunk in chunks]
    log_probs, entropies, uniforms = zip(*parts, strict=True)
    return Decisions(
        torch.cat(log_probs),
        wanted.num_tokens,
        entropy_N=torch.cat(entropies) if wanted.entropy else None,
        uniform_log_probs_N=torch.cat(uniforms) if wanted.uniform else None,
    )


def _scored(
    head: Head, hidden_nH: Tensor, tokens_n: Tensor, positions_n: Tensor, wanted: Wanted
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Log-probability, entropy and mean log-probability of each decision; the last two only when wanted."""
    logits_nV = behaviour_logits(head(hidden_nH).float(), wanted.sampling, positions_n, wanted.end_tokens, tokens_n)
    log_probs_n = -nn.functional.cross_entropy(logits_nV, tokens_n, reduction="none")
    if not wanted.entropy and not wanted.uniform:
        return log_probs_n, None, None
    log_probs_nV = logits_nV.log_softmax(-1)
    possible_nV = log_probs_nV.isfinite()
    finite_nV = log_probs_nV.where(possible_nV, 0.0)
    entropy_n = -(log_probs_nV.exp() * finite_nV).sum(-1) if wanted.entropy else None
    return log_probs_n, entropy_n, finite_nV.sum(-1) / possible_nV.sum(-1) if wanted.uniform else None
