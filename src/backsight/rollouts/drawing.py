"""Random numbers and the tokens they choose.

Every row has random numbers of its own, so that what is drawn does not depend on what else is in the batch.

Tensors: B rows, C completion tokens, V vocabulary, K blocks of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

BLOCK = 128
"""Tokens whose probabilities are summed before the search: a running sum over a whole vocabulary is slow."""


def uniform_numbers(seeds: Sequence[int], count: int) -> Tensor:
    """(B, C) in [0, 1): the first `count` numbers of each seed's own sequence."""
    generator = torch.Generator()
    return torch.stack([torch.rand(count, generator=generator.manual_seed(seed)) for seed in seeds])


def penalised(logits_BV: Tensor, seen_BV: Tensor, penalty: float) -> Tensor:
    """Tokens that occurred made less likely (CTRL, Keskar 2019, arXiv:1909.05858), as transformers does it."""
    lowered_BV = torch.where(logits_BV < 0, logits_BV * penalty, logits_BV / penalty)
    return torch.where(seen_BV, lowered_BV, logits_BV)


def most_likely(logits_BV: Tensor) -> tuple[Tensor, Tensor]:
    """The best token of each row and its log-probability, both (B,)."""
    best = logits_BV.log_softmax(-1).max(-1)
    return best.indices, best.values


def draw_tokens(logits_BV: Tensor, uniform_B: Tensor) -> tuple[Tensor, Tensor]:
    """One token a row and its log-probability, both (B,), by inverting the cumulative distribution.

    That takes one random number a row, where comparing V noisy scores would take V. The inversion finds the block
    first and then the token in it.
    """
    probs_BV = logits_BV.softmax(-1)
    num_tokens = probs_BV.shape[-1]
    blocks_BKb = torch.nn.functional.pad(probs_BV, (0, -num_tokens % BLOCK)).view(len(probs_BV), -1, BLOCK)
    rest_B1, block_B1 = _invert(blocks_BKb.sum(-1), uniform_B[:, None])
    chosen_Bb = blocks_BKb.gather(1, block_B1[..., None].expand(-1, 1, BLOCK))[:, 0]
    _, inside_B1 = _invert(chosen_Bb, rest_B1 / chosen_Bb.sum(-1, keepdim=True))
    tokens_B1 = block_B1 * BLOCK + inside_B1
    return tokens_B1[:, 0], probs_BV.gather(-1, tokens_B1)[:, 0].log()


def _invert(weights_BK: Tensor, share_B1: Tensor) -> tuple[Tensor, Tensor]:
    """Where in the running sum the share of the total lies: what is left of it there, and the index, both (B, 1)."""
    cumulative_BK = weights_BK.cumsum(-1)
    total_B1 = cumulative_BK[:, -1:]
    # below the total, whatever was rounded: what is found has a weight above zero
    target_B1 = (share_B1 * total_B1).clamp(max=total_B1 * (1 - 2**-20))
    index_B1 = torch.searchsorted(cumulative_BK, target_B1, right=True)
    before_B1 = cumulative_BK.gather(-1, index_B1) - weights_BK.gather(-1, index_B1)
    return (target_B1 - before_B1).clamp(min=0), index_B1
