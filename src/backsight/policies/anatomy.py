"""What a decoder-only model is made of, found out by trying: a wrong guess would be a silently wrong gradient.

Tensors: B rows, T tokens, H hidden numbers, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from backsight.policies.layout import Pair, arrange, tensors

PROBE: tuple[Pair, ...] = (((1, 2, 3), (4, 5, 6)), ((1, 2, 3), (7, 8)), ((3, 2), (1, 5, 4)))
"""A few rows to try the model on, in token ids; a smaller vocabulary takes them modulo its size."""
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""Of the largest hidden number or logit."""


class Anatomy:
    """The body that turns tokens into hidden states and the head that turns those into logits."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.body: Any = model.base_model
        self.vocabulary: int = model.get_output_embeddings().weight.shape[0]
        width: int = model.get_output_embeddings().weight.shape[1]
        self.attention_width = 6.0 * width  # where the square of a row costs as much as its length, by measurement
        self.window: int | None = getattr(model.config, "sliding_window", None)
        self.has_head = self._has_head()
        self.can_branch = self.has_head and self._can_branch()

    def head(self, hidden_NH: Tensor) -> Tensor:
        """(N, V) as the whole model computes them."""
        logits_NV: Tensor = self.model.get_output_embeddings()(hidden_NH)
        cap = getattr(self.model.config, "final_logit_softcapping", None)
        return logits_NV if cap is None else cap * torch.tanh(logits_NV / cap)

    def hidden(self, tokens_BT: Tensor, positions_BT: Tensor | None, mask_B1TT: Tensor | None) -> Tensor:
        """(B, T, H) the states that the head reads. Without a mask attention is causal."""
        hidden_BTH: Tensor = self.body(
            input_ids=tokens_BT, attention_mask=mask_B1TT, position_ids=positions_BT, use_cache=False
        ).last_hidden_state
        return hidden_BTH

    def can_share(self, longest: int) -> bool:
        """Whether prompts may be shared where no position is beyond `longest`: within a sliding window all see all."""
        return self.can_branch and (self.window is None or longest <= self.window)

    @torch.no_grad()
    def _has_head(self) -> bool:
        """Whether body and head, one after the other, are the whole: some models scale the logits, each its own way."""
        tokens_1T = torch.tensor([PROBE[0][0]], device=self.model.device) % self.vocabulary
        expected_TV = self.model(input_ids=tokens_1T, use_cache=False).logits[0]
        return is_close(self.head(self.hidden(tokens_1T, None, None)[0]), expected_TV)

    @torch.no_grad()
    def _can_branch(self) -> bool:
        """Whether the model obeys a mask of four dimensions and positions that do not count up."""
        if self.window is not None and self.window < max(len(prompt) + len(response) for prompt, response in PROBE):
            return False
        plain_NH, branching_NH = self._probed(0.0), None
        try:
            branching_NH = self._probed(1e6)
        except (RuntimeError, ValueError, TypeError, NotImplementedError):  # an attention kernel may refuse the mask
            return False
        return is_close(branching_NH, plain_NH)

    def _probed(self, attention_width: float) -> Tensor:
        rows = arrange(PROBE, attention_width, can_branch=attention_width > 0)
        laid = tensors(rows, PROBE, padding=0, dtype=self.model.dtype).to(self.model.device)
        return self.hidden(laid.tokens_BT % self.vocabulary, laid.positions_BT, laid.mask_B1TT).flatten(0, 1)[
            laid.sources_N
        ]


def is_close(found: Tensor, expected: Tensor) -> bool:
    """Whether two ways to compute the same differ by rounding alone."""
    largest = float(expected.abs().max())
    return float((found - expected).abs().max()) <= TOLERANCE.get(expected.dtype, 1e-2) * largest
