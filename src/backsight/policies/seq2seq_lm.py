"""Policies made of encoder-decoder language models: any `AutoModelForSeq2SeqLM` (T5, mT5, BART, …).

Tensors: U distinct prompts, B rows, S tokens of a prompt, T of a completion, H hidden numbers, V vocabulary,
N decisions (completion tokens, flat).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from backsight.errors import DataError, ModelError
from backsight.policies import limits
from backsight.policies.causal_lm import is_close
from backsight.policies.scoring.layout import Tokens, pad_rows
from backsight.policies.scoring.log_probs import Head, States
from backsight.policies.text import PLAIN, LanguageModelPolicy, begun_tokens, check_can_score, check_known, exchanges
from backsight.types import Example, Observation, PartialCompletion, Sampling

PROBE = (1, 2, 3)
"""Token ids to try the model on; a smaller vocabulary takes them modulo its size."""


class Seq2SeqAnatomy:
    """The parts of a model: the encoder, the decoder that reads its states, and the head that makes logits."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.encoder, self.decoder = model.get_encoder(), model.get_decoder()
        self.vocabulary: int = model.get_output_embeddings().weight.shape[0]
        self.scale = self._scale()
        """Factor of the states that the head reads; None if no factor gives the logits of the whole model."""

    @property
    def head(self) -> Head:
        """Function from the result of `decoded` to logits."""
        return nn.Identity() if self.scale is None else self._logits

    def encoded(self, tokens_BS: Tensor, mask_BS: Tensor) -> Tensor:
        """Compute the encoder's states for prompts that are padded on the right, (B, S, H)."""
        hidden_BSH: Tensor = self.encoder(input_ids=tokens_BS, attention_mask=mask_BS).last_hidden_state
        return hidden_BSH

    def decoded(self, tokens_BT: Tensor, hidden_BSH: Tensor, mask_BS: Tensor) -> Tensor:
        """Compute the states that the head reads, (B, T, H), or all logits, (B, T, V), where `scale` is None.

        Padding on the right needs no mask, because attention is causal.
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
        """Compute logits from scaled states: T5 scales them if head and embeddings share weights; BART adds a bias."""
        logits_NV: Tensor = self.model.get_output_embeddings()(states_NH if scale == 1 else states_NH * scale)
        bias_1V = getattr(self.model, "final_logits_bias", None)
        return logits_NV if bias_1V is None else logits_NV + bias_1V

    @torch.no_grad()
    def _scale(self) -> float | None:
        """Find the factor with which states and head give the logits of the whole model; None if there is none."""
        tokens_1T = torch.tensor([PROBE], device=self.model.device) % self.vocabulary
        mask_1T = torch.ones_like(tokens_1T)
        hidden_1TH = self.encoded(tokens_1T, mask_1T)
        expected_TV = self._whole(tokens_1T, hidden_1TH, mask_1T)[0]
        try:
            states_TH = self._states(tokens_1T, hidden_1TH, mask_1T)[0]
            for scale in (1.0, states_TH.shape[-1] ** -0.5):
                if is_close(self._scaled_logits(states_TH, scale), expected_TV):
                    return scale
        except (AttributeError, TypeError, RuntimeError):  # for example, a decoder that is a whole language model
            return None
        return None


class Seq2SeqLMPolicy(LanguageModelPolicy):
    """An encoder-decoder model: the encoder reads the prompt, and the decoder writes the response token by token.

    A decision is a token, end-of-text included. The first tokens of the decoder, `start_tokens`, are given and are no
    decisions: the start token, and after it the one that `generate` would force (BART's beginning of text, mBART's
    language). Siblings share the encoder's work.
    """

    kind = "seq2seq_lm"

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__(model, tokenizer)
        self.start_tokens = _start_tokens(model, tokenizer)

    @cached_property
    def anatomy(self) -> Seq2SeqAnatomy:
        return Seq2SeqAnatomy(self.model)

    @property
    def max_length(self) -> int | None:
        """Most tokens of a prompt; None where there is no limit, as in T5, which knows only distances."""
        return limits.part_length(self.model, "encoder")

    def prompt_tokens(self, prompt: Observation) -> Tokens:
        """Return the tokens that the encoder reads, without a completion that has been begun."""
        return super().prompt_tokens(prompt.prompt if isinstance(prompt, PartialCompletion) else prompt)

    def prefix_tokens(self, prompt: Observation) -> Tokens:
        """Return the tokens that the decoder reads before the first decision."""
        return (*self.start_tokens, *begun_tokens(prompt))

    def check_prompt(self, prompt: Observation, max_completion_length: int) -> None:
        length, prefix = len(self.prompt_tokens(prompt)), len(self.prefix_tokens(prompt))
        if self.max_length is not None and length > self.max_length:
            remedy = f"{length} tokens exceed the encoder's {self.max_length}; shorten the prompt"
            raise DataError("prompt", prompt, remedy)
        limit = limits.part_length(self.model, "decoder")
        rest = max(0, max_completion_length - len(begun_tokens(prompt)))
        if limit is not None and prefix + rest > limit:
            remedy = f"with the {prefix} tokens it begins with, it exceeds the decoder's {limit}; lower it"
            raise DataError("max_completion_length", max_completion_length, remedy)

    def _extent(self, examples: Sequence[Example]) -> tuple[int, int]:
        """Return the number of rows, and the tokens of the widest: its completion and its share of the prompts."""
        pairs = list(exchanges(examples))
        prompts = {self.prompt_tokens(prompt) for prompt, _ in pairs}
        longest = max(len(self.prefix_tokens(prompt)) + len(response) for prompt, response in pairs)
        return len(pairs), longest + math.ceil(len(prompts) * max(map(len, prompts)) / len(pairs))

    def states(self, examples: Sequence[Example], sampling: Sampling = PLAIN) -> States:
        check_can_score(sampling)
        device, pairs = self.model.device, list(exchanges(examples))
        prompts = [self.prompt_tokens(prompt) for prompt, _ in pairs]
        places = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompts))}
        rows_B = torch.tensor([places[prompt] for prompt in prompts], device=device)
        prompts_US, mask_US = (each.to(device) for each in pad_rows(list(places), self.padding_token))
        # the last token of a response predicts nothing
        read = [(*self.prefix_tokens(prompt), *response[:-1]) for prompt, response in pairs]
        tokens_BT = pad_rows(read, self.padding_token)[0].to(device)
        hidden_USH = self.anatomy.encoded(prompts_US, mask_US)
        states_BTH = self.anatomy.decoded(tokens_BT, hidden_USH[rows_B], mask_US[rows_B])
        ends = [row * tokens_BT.shape[1] + len(tokens) for row, tokens in enumerate(read)]
        sources = [
            end - len(response) + position
            for end, (_, response) in zip(ends, pairs, strict=True)
            for position in range(len(response))
        ]
        states_NH = states_BTH.flatten(0, 1)[torch.tensor(sources, device=device)]
        num_tokens = sum(map(len, places)) + sum(map(len, read))
        return States(self.anatomy.head, self.anatomy.vocabulary, states_NH, *self.responses_of(examples), num_tokens)


def _start_tokens(model: Any, tokenizer: Any) -> Tokens:
    """Find the tokens that the decoder begins with, as `generate` does: in the generation configuration first.

    Raises:
        ModelError: when no configuration names a start token.
    """
    configs = [each for each in (model.generation_config, model.config) if each is not None]

    def configured_token(name: str) -> int | None:
        return next((value for each in configs if (value := getattr(each, name, None)) is not None), None)

    start, forced = (configured_token(name) for name in ("decoder_start_token_id", "forced_bos_token_id"))
    if start is None:
        start = configured_token("bos_token_id")
    if start is None:
        remedy = "does not say what the decoder begins with; set decoder_start_token_id in its configuration"
        raise ModelError("policy", tokenizer.name_or_path, remedy)
    tokens = (start,) if forced is None else (start, forced)
    check_known(model, tokenizer.name_or_path, tokens)
    return tokens
