"""Log-probabilities without the logits of all decisions at once: computed in chunks, recomputed in the backward pass.

Tensors: N decisions, n those of a chunk, H hidden numbers, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from backsight.policies.truncation import behaviour_logits
from backsight.types import Decisions, Sampling, Wanted

CHUNK_ELEMENTS = 2**25
"""Logits that are held at the same time: 128 MiB in float32."""

Head = Callable[[Tensor], Tensor]
"""From hidden states (n, H) to logits (n, V)."""


@dataclass(frozen=True, slots=True)
class States:
    """What a model computed before its head, at each decision."""

    head: Head
    vocabulary: int
    hidden_NH: Tensor
    tokens_N: Tensor
    """What was taken."""
    positions_N: Tensor
    """Tokens of the completion before each."""
    num_tokens: int
    """That went through the model."""


def score(states: States, sampling: Sampling, end_tokens: Sequence[int], wanted: Wanted) -> Decisions:
    """The scores of all decisions."""
    size = max(1, CHUNK_ELEMENTS // states.vocabulary)
    columns = [states.hidden_NH, states.tokens_N, states.positions_N]
    if wanted.support_NK is not None:
        columns.append(wanted.support_NK.to(states.tokens_N.device))
    chunks = list(zip(*(torch.split(each, size) for each in columns), strict=True))
    scored = partial(_scored, states.head, sampling, end_tokens, wanted)
    if len(chunks) == 1 or not torch.is_grad_enabled():
        parts = [scored(*chunk) for chunk in chunks]
    else:
        parts = [checkpoint(scored, *chunk, use_reentrant=False) for chunk in chunks]
    log_probs_N, entropy_N, uniform_N, support_NK, support_log_probs_NK = (
        None if each[0] is None else torch.cat(each) for each in zip(*parts, strict=True)
    )
    assert log_probs_N is not None
    return Decisions(log_probs_N, states.num_tokens, entropy_N, uniform_N, support_NK, support_log_probs_NK)


_Scores = tuple[Tensor, Tensor | None, Tensor | None, Tensor | None, Tensor | None]


def _scored(
    head: Head,
    sampling: Sampling,
    end_tokens: Sequence[int],
    wanted: Wanted,
    hidden_nH: Tensor,
    tokens_n: Tensor,
    positions_n: Tensor,
    asked_nK: Tensor | None = None,
) -> _Scores:
    """Log-probability, entropy and mean log-probability of each decision, some actions and theirs; None: not wanted."""
    logits_nV = behaviour_logits(head(hidden_nH).float(), sampling, positions_n, end_tokens, tokens_n)
    log_probs_n = -nn.functional.cross_entropy(logits_nV, tokens_n, reduction="none")
    if not (wanted.entropy or wanted.uniform or wanted.top_k or asked_nK is not None):
        return log_probs_n, None, None, None, None
    log_probs_nV = logits_nV.log_softmax(-1)
    possible_nV = log_probs_nV.isfinite()
    finite_nV = log_probs_nV.where(possible_nV, 0.0)
    entropy_n = -(log_probs_nV.exp() * finite_nV).sum(-1) if wanted.entropy else None
    uniform_n = finite_nV.sum(-1) / possible_nV.sum(-1) if wanted.uniform else None
    if wanted.top_k:
        asked_nK = log_probs_nV.detach().topk(min(wanted.top_k, log_probs_nV.shape[-1]), -1).indices
    support_nK = None if asked_nK is None else log_probs_nV.gather(-1, asked_nK)
    return log_probs_n, entropy_n, uniform_n, asked_nK, support_nK
