"""One token a row: its forward pass, and the draw of the next token.

With one token a row, half of the time of a general forward pass goes to everything around the matrix products: masks
that are made anew, arguments that are passed on, rotations in seven operations. `LeanStep` does the same arithmetic
with the modules and weights of models of the Llama family (Llama, Mistral, Qwen, SmolLM, …). Every row has random
numbers of its own, so that what is drawn does not depend on what else is in the batch.

Tensors: B rows, T columns of the cache, h heads, k heads of keys and values, d numbers a head, H hidden, V vocabulary,
C completion tokens, K blocks of the vocabulary, b tokens of a block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import rms_norm, scaled_dot_product_attention

from backsight.errors import ModelError
from backsight.policies.causal_lm import is_close
from backsight.policies.limits import attention_window, max_length
from backsight.policies.memory import in_full_precision
from backsight.rollouts.decoding.batch import DecodeCache


class DecodeStep(Protocol):
    """A forward pass of one token a row."""

    def __call__(self, tokens_B1: Tensor, mask_BT: Tensor, positions_B1: Tensor, cache: DecodeCache) -> Tensor:
        """Compute the logits of the next tokens, (B, V). `mask_BT` has a column for the new token already."""
        ...


def check_decodes(model: Any) -> None:
    """Check that the model computes the same token by token, padded and from a cache, as when it reads a row at once.

    A model that seems to differ in low precision is tried in full precision, because it may be rounding alone.

    Raises:
        ModelError: when it does not: it sees what comes later, as encoders do, or counts positions by column.
    """
    cause, agrees = None, False
    try:
        agrees = _decodes(model) or _decodes(in_full_precision(model))
    except Exception as error:  # a model may be anybody's code
        cause = error
    if not agrees:
        reason = "" if cause is None else f" ({' '.join(str(cause).split())[:80]})"
        remedy = f"computes otherwise token by token, or padded, than a row at once{reason}; take a decoder-only model"
        raise ModelError("policy", type(model).__name__, remedy) from cause


def _decodes(model: Any) -> bool:
    return is_close(_try_step(GeneralStep(model), model), _whole_rows(model))


def decode_step(model: Any) -> DecodeStep:
    """Return the lean step if a trial shows that it computes what the model does, or else the model's own.

    In low precision, rounding alone can make the two differ by a third of the largest logit, for some weights and not
    for others: a run that is resumed would decode by another step than before.
    """
    general = GeneralStep(model)
    if attention_window(model) is not None:
        return general
    stride = min(FARTHEST, max_length(model) or FARTHEST) // (max(map(len, TRIED)) + len(TRIED_NEXT))
    try:
        tried: Any = in_full_precision(model)
        found, expected = (_try_step(step, tried, stride) for step in (LeanStep(tried), GeneralStep(tried)))
    except (AttributeError, TypeError, RuntimeError, ValueError, KeyError):  # a module is missing or differs
        return general
    return LeanStep(model) if is_close(found, expected) else general


TRIED: tuple[tuple[int, ...], ...] = ((1, 2, 3), (4,))
"""Rows of tokens that the trial begins with; a smaller vocabulary takes them modulo its size."""
TRIED_NEXT = (5, 6)
"""Tokens that follow in both rows."""
FARTHEST = 512
"""Largest position in the trial of the lean step: a layer that turns nothing shows where tokens are far apart."""


@torch.no_grad()
def _whole_rows(model: Any) -> Tensor:
    """Compute the same logits as `_try_step`, each row at once."""
    vocabulary = model.get_output_embeddings().weight.shape[0]
    rows = [torch.tensor([[*row, *TRIED_NEXT]], device=model.device) % vocabulary for row in TRIED]
    logits = [model(input_ids=tokens_1T, use_cache=False).logits[0] for tokens_1T in rows]
    return torch.stack([row_TV[position - len(TRIED_NEXT)] for position in range(len(TRIED_NEXT)) for row_TV in logits])


@torch.no_grad()
def _try_step(step: DecodeStep, model: Any, stride: int = 1) -> Tensor:
    """Compute the logits after a few tokens, `stride` positions apart, in two rows, the second of which is padded."""
    vocabulary = model.get_output_embeddings().weight.shape[0]
    cache, longest = DecodeCache(), max(map(len, TRIED))
    padding = [longest - len(row) for row in TRIED]
    mask_BT = torch.tensor([[0] * gap + [1] * (longest - gap) for gap in padding], device=model.device)
    padded = [[0] * gap + list(row) for gap, row in zip(padding, TRIED, strict=True)]
    tokens_BT = torch.tensor(padded, device=model.device) % vocabulary
    positions_BT = (mask_BT.cumsum(-1) - 1).clamp(min=0) * stride
    model(input_ids=tokens_BT, attention_mask=mask_BT, position_ids=positions_BT, past_key_values=cache, use_cache=True)
    logits = []
    for token in TRIED_NEXT:
        mask_BT = torch.nn.functional.pad(mask_BT, (0, 1), value=1)
        token_B1 = torch.full((2, 1), token % vocabulary, device=model.device)
        logits.append(step(token_B1, mask_BT, (mask_BT.sum(-1, keepdim=True) - 1) * stride, cache))
    return torch.cat(logits)


class GeneralStep:
    """A forward pass of one token a row, for any model."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, tokens_B1: Tensor, mask_BT: Tensor, positions_B1: Tensor, cache: DecodeCache) -> Tensor:
        logits_B1V: Tensor = self.model(
            input_ids=tokens_B1,
            attention_mask=mask_BT,
            position_ids=positions_B1,
            past_key_values=cache,
            use_cache=True,
        ).logits
        return logits_B1V[:, -1]


class LeanStep:
    """A forward pass of one token a row with fewer operations, for models of the Llama family."""

    def __init__(self, model: Any) -> None:
        self.model, self.body = model, model.base_model

    def __call__(self, tokens_B1: Tensor, mask_BT: Tensor, positions_B1: Tensor, cache: DecodeCache) -> Tensor:
        hidden_BH = self.body.embed_tokens(tokens_B1[:, 0])
        cos_B1d, sin_B1d = self.body.rotary_emb(hidden_BH, positions_B1)
        half = cos_B1d.shape[-1] // 2
        turned_B1d = torch.cat([-sin_B1d[..., :half], sin_B1d[..., half:]], -1)  # the sign of the rotation
        mask_B11T = torch.zeros(mask_BT.shape, dtype=hidden_BH.dtype, device=hidden_BH.device)
        mask_B11T = mask_B11T.masked_fill_(mask_BT == 0, torch.finfo(hidden_BH.dtype).min)[:, None, None]
        for number, layer in enumerate(self.body.layers):
            attended_BH = self._attend(layer, number, hidden_BH, (cos_B1d, turned_B1d, half), mask_B11T, cache)
            hidden_BH = hidden_BH + attended_BH
            hidden_BH = hidden_BH + layer.mlp(_norm(layer.post_attention_layernorm, hidden_BH))
        logits_BV: Tensor = self.model.lm_head(_norm(self.body.norm, hidden_BH))
        return logits_BV

    def _attend(
        self,
        layer: Any,
        number: int,
        hidden_BH: Tensor,
        rotation: tuple[Tensor, Tensor, int],
        mask_B11T: Tensor,
        cache: DecodeCache,
    ) -> Tensor:
        attention = layer.self_attn
        normed_BH = _norm(layer.input_layernorm, hidden_BH)
        rows, width = len(normed_BH), attention.head_dim
        queries_Bhd, keys_Bkd, values_Bkd = (
            project(normed_BH).view(rows, -1, width)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        if hasattr(attention, "q_norm"):
            queries_Bhd, keys_Bkd = _norm(attention.q_norm, queries_Bhd), _norm(attention.k_norm, keys_Bkd)
        cos_B1d, turned_B1d, half = rotation
        both_Bhd = torch.cat([queries_Bhd, keys_Bkd], 1)
        both_Bhd = torch.addcmul(both_Bhd * cos_B1d, both_Bhd.roll(half, -1), turned_B1d)
        num_queries = queries_Bhd.shape[1]
        keys_BkTd, values_BkTd = cache.update(both_Bhd[:, num_queries:, None], values_Bkd[:, :, None], number)
        # the queries that share a head of keys stand side by side, so that keys and values are read once for them
        queries_Bkgd = both_Bhd[:, :num_queries].reshape(rows, keys_BkTd.shape[1], -1, width)
        mixed_Bkgd = scaled_dot_product_attention(
            queries_Bkgd, keys_BkTd, values_BkTd, attn_mask=mask_B11T, scale=attention.scaling
        )
        attended_BH: Tensor = attention.o_proj(mixed_Bkgd.reshape(rows, -1))
        return attended_BH


def _norm(norm: Any, hidden: Tensor) -> Tensor:
    """Apply a root mean square norm in one call."""
    return rms_norm(hidden, norm.weight.shape, norm.weight, norm.variance_epsilon)


BLOCK = 128
"""Number of tokens in a block, whose probabilities are summed first: a running sum over all tokens is slow."""


def uniform_numbers(seeds: Sequence[int], count: int) -> Tensor:
    """Return the first `count` numbers in [0, 1) of each seed's own sequence, (B, C)."""
    generator = torch.Generator()
    return torch.stack([torch.rand(count, generator=generator.manual_seed(seed)) for seed in seeds])


def penalise(logits_BV: Tensor, seen_BV: Tensor, penalty: float) -> Tensor:
    """Make tokens that occurred less likely (CTRL, Keskar 2019, arXiv:1909.05858), as transformers does it."""
    lowered_BV = torch.where(logits_BV < 0, logits_BV * penalty, logits_BV / penalty)
    return torch.where(seen_BV, lowered_BV, logits_BV)


def most_likely(logits_BV: Tensor) -> tuple[Tensor, Tensor]:
    """Return the most likely token of each row and its log-probability, both (B,)."""
    best = logits_BV.log_softmax(-1).max(-1)
    return best.indices, best.values


def draw_tokens(logits_BV: Tensor, uniform_B: Tensor) -> tuple[Tensor, Tensor]:
    """Draw one token a row by inverting the cumulative distribution; return it and its log-probability, both (B,).

    The inversion takes one random number a row, where comparing V noisy scores would take V. It finds the block first
    and then the token in it.
    """
    probs_BV = logits_BV.softmax(-1)
    num_tokens = probs_BV.shape[-1]
    missing = -num_tokens % BLOCK
    whole_BV = torch.nn.functional.pad(probs_BV, (0, missing)) if missing else probs_BV  # to pad by nothing is a copy
    blocks_BKb = whole_BV.view(len(probs_BV), -1, BLOCK)
    rest_B1, block_B1 = _invert(blocks_BKb.sum(-1), uniform_B[:, None])
    chosen_Bb = blocks_BKb.gather(1, block_B1[..., None].expand(-1, 1, BLOCK))[:, 0]
    _, inside_B1 = _invert(chosen_Bb, rest_B1 / chosen_Bb.sum(-1, keepdim=True))
    tokens_B1 = block_B1 * BLOCK + inside_B1
    return tokens_B1[:, 0], probs_BV.gather(-1, tokens_B1)[:, 0].log()


def _invert(weights_BK: Tensor, share_B1: Tensor) -> tuple[Tensor, Tensor]:
    """Find the weight at which the running sum exceeds a share of the total.

    Return what is left of the share at that weight, and the index of the weight, both (B, 1).
    """
    cumulative_BK = weights_BK.cumsum(-1)
    total_B1 = cumulative_BK[:, -1:]
    # stay below the total in spite of rounding, so that the weight found is above zero
    target_B1 = (share_B1 * total_B1).clamp(max=total_B1 * (1 - 2**-20))
    index_B1 = torch.searchsorted(cumulative_BK, target_B1, right=True)
    before_B1 = cumulative_BK.gather(-1, index_B1) - weights_BK.gather(-1, index_B1)
    return (target_B1 - before_B1).clamp(min=0), index_B1
