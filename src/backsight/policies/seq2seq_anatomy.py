"""What an encoder-decoder model is made of, found out by trying: a wrong guess would be a silently wrong gradient.

Tensors: B rows, S tokens of the prompt, T tokens of the completion, H hidden numbers, N decisions, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from backsight.policies.anatomy import is_close
from backsight.policies.scores import Head

PROBE = (1, 2, 3)
"""Token ids to try the model on; a smaller vocabulary takes them modulo its size."""


class Seq2SeqAnatomy:
    """An encoder, a decoder that reads what it made of the prompt, and a head that turns hidden states into logits."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.encoder, self.decoder = model.get_encoder(), model.get_decoder()
        self.vocabulary: int = model.get_output_embeddings().weight.shape[0]
        self.scale = self._scale()
        """Of what the head reads; None: decoder and head, one after the other, are not the whole."""

    @property
    def head(self) -> Head:
        """From what `decoded` gives to logits."""
        return nn.Identity() if self.scale is None else self._logits

    def encoded(self, tokens_BS: Tensor, mask_BS: Tensor) -> Tensor:
        """(B, S, H) what the encoder makes of prompts that are padded on the right."""
        hidden_BSH: Tensor = self.encoder(input_ids=tokens_BS, attention_mask=mask_BS).last_hidden_state
        return hidden_BSH

    def decoded(self, tokens_BT: Tensor, hidden_BSH: Tensor, mask_BS: Tensor) -> Tensor:
        """(B, T, H) the states that the head reads, or (B, T, V) all logits where that is the only way to them.

        Padding on the right needs no mask: attention is causal.
        """
        if self.scale is None:
            return self._whole(tokens_BT, hidden_BSH, mask_BS)
        return self._states(tokens_BT, hidden_BSH, mask_BS)

    def _states(self, tokens_BT: Tensor, hidden_BSH: Tensor, mask_BS: Tensor) -> Tensor:
        states_BTH: Tensor = self.decoder(
            input_ids=tokens_BT, encoder_hidden_states=hidden_BSH, encoder_attention_mask=mask_BS, use_cache=False
        ).last_hidden_state
        return states_BTH

    def _whole(self, tokens_BT: Tensor, hidden_BSH: Tensor, mask_BS: Tensor) -> Tensor:
        logits_BTV: Tensor = self.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=hidden_BSH),
            attention_mask=mask_BS,
            decoder_input_ids=tokens_BT,
            use_cache=False,
        ).logits
        return logits_BTV

    def _logits(self, states_NH: Tensor) -> Tensor:
        return self._scaled_logits(states_NH, self.scale or 1.0)

    def _scaled_logits(self, states_NH: Tensor, scale: float) -> Tensor:
        """T5 scales what the head reads where it shares its weights with the embeddings; BART adds a bias."""
        logits_NV: Tensor = self.model.get_output_embeddings()(states_NH if scale == 1 else states_NH * scale)
        bias_1V = getattr(self.model, "final_logits_bias", None)
        return logits_NV if bias_1V is None else logits_NV + bias_1V

    @torch.no_grad()
    def _scale(self) -> float | None:
        """The one with which states and head give the logits of the whole model."""
        tokens_1T = torch.tensor([PROBE], device=self.model.device) % self.vocabulary
        mask_1T = torch.ones_like(tokens_1T)
        hidden_1TH = self.encoded(tokens_1T, mask_1T)
        expected_TV = self._whole(tokens_1T, hidden_1TH, mask_1T)[0]
        try:
            states_TH = self._states(tokens_1T, hidden_1TH, mask_1T)[0]
            for scale in (1.0, states_TH.shape[-1] ** -0.5):
                if is_close(self._scaled_logits(states_TH, scale), expected_TV):
                    return scale
        except (AttributeError, TypeError, RuntimeError):  # a decoder that is a whole language model, say
            return None
        return None
