"""Sampling from an encoder-decoder language model in this process.

Equal prompts are encoded once, and what the decoder reads of them is expanded to the siblings. The rows of a batch
begin at the same token, because most of these decoders count positions by column: rows leave when they have ended, and
waiting requests start the next batch.

Tensors: U distinct prompts, B rows, S tokens of a prompt, T columns of the cache, H hidden numbers, V vocabulary.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from backsight.errors import ModelError
from backsight.policies.scoring.layout import Tokens, micro_batches, pad_rows
from backsight.policies.seq2seq_lm import Seq2SeqLMPolicy
from backsight.rollouts.decoding.batch import Batch, DecodeCache
from backsight.rollouts.decoding.language_model import (
    CACHE_BYTES,
    LOGIT_ELEMENTS,
    PREFILL_TOKENS,
    LanguageModelEngine,
    Request,
)
from backsight.types import Observation, Sampling

Pair = tuple[Tokens, Tokens]
"""The tokens that the encoder reads, and those that the decoder begins with."""


class Seq2SeqCache(DecodeCache):
    """A cache of the decoder's keys and values, and beside it what the decoder reads of each row's prompt."""

    def __init__(self, hidden_BSH: Tensor, mask_BS: Tensor) -> None:
        super().__init__()
        self.hidden_BSH, self.mask_BS = hidden_BSH, mask_BS
        self.cross = DynamicCache()
        """Keys and values of the prompt in each layer of the decoder."""

    @property
    def both(self) -> EncoderDecoderCache:
        """Both caches in the form that transformers' models read."""
        return EncoderDecoderCache(self, self.cross)

    @property
    def prompt_bytes(self) -> int:
        kept: int = sum(layer.keys.nbytes + layer.values.nbytes for layer in self.cross.layers)
        return self.hidden_BSH.nbytes + kept

    def keep(self, rows_B: Tensor, first_column: int) -> None:
        super().keep(rows_B, first_column)
        self.cross.batch_select_indices(rows_B)
        self.hidden_BSH, self.mask_BS = self.hidden_BSH[rows_B], self.mask_BS[rows_B]

    def add(self, other: DecodeCache) -> None:
        raise NotImplementedError("rows of an encoder-decoder begin together")


class Seq2SeqLMEngine(LanguageModelEngine[Seq2SeqLMPolicy, Pair]):
    """An engine for encoder-decoder language models, in this process."""

    def _prompt(self, observation: Observation) -> Pair:
        return self.policy.prompt_tokens(observation), self.policy.prefix_tokens(observation)

    def _read_by_decoder(self, prompt: Pair) -> Tokens:
        return prompt[1]

    def _order(self, prompt: Pair) -> tuple[int, int, Pair]:
        return len(prompt[1]), len(prompt[0]), prompt

    def _rows_at_once(self, prompts: Sequence[Pair], sampling: Sampling) -> int:
        by_cache = self._free_bytes(CACHE_BYTES) // self._row_bytes(prompts, sampling)
        return max(1, min(by_cache, LOGIT_ELEMENTS // self.policy.anatomy.vocabulary))

    def _row_bytes(self, prompts: Sequence[Pair], sampling: Sampling) -> int:
        longest_prompt, longest_prefix = (max((len(pair[part]) for pair in prompts), default=0) for part in (0, 1))
        a_prompt_token, a_token = self._bytes_a_token
        return longest_prompt * a_prompt_token + (longest_prefix + sampling.max_completion_length) * a_token

    def _next(self, waiting: deque[Request[Pair]], batch: Batch | None, most_rows: int) -> list[Request[Pair]]:
        taken: list[Request[Pair]] = []
        while batch is None and waiting and len(taken) < most_rows:
            if taken and len(taken[0].prompt[1]) != len(waiting[0].prompt[1]):
                break
            taken.append(waiting.popleft())
        return taken

    def _parts(self, requests: Sequence[Request[Pair]]) -> list[Sequence[Request[Pair]]]:
        return [requests]

    def _read(self, prompts: Sequence[Pair], sampling: Sampling) -> tuple[DecodeCache, Tensor, Tensor]:
        distinct, device = list(dict.fromkeys(prompts)), self.policy.model.device
        sources = {source: place for place, source in enumerate(dict.fromkeys(source for source, _ in distinct))}
        places = {prompt: place for place, prompt in enumerate(distinct)}
        with self.profile.phase("prefill", sum(map(len, sources)) + sum(len(prefix) for _, prefix in distinct)):
            rows_U = torch.tensor([sources[source] for source, _ in distinct], device=device)
            hidden_USH, mask_US = self._encoded(list(sources))
            cache = Seq2SeqCache(hidden_USH[rows_U], mask_US[rows_U])
            logits_UV = self._forward(torch.tensor([prefix for _, prefix in distinct], device=device), cache)
            rows_B = torch.tensor([places[prompt] for prompt in prompts], device=device)
            cache.keep(rows_B, 0)
        return cache, torch.ones(len(prompts), len(prompts[0][1]), dtype=torch.long, device=device), logits_UV[rows_B]

    def _encoded(self, prompts: Sequence[Tokens]) -> tuple[Tensor, Tensor]:
        """Encode prompts, those of similar length together; return the states (U, S, H) and the mask (U, S)."""
        longest, device = max(map(len, prompts)), self.policy.model.device
        _, mask_US = pad_rows(prompts, 0)
        hidden: list[Tensor] = [torch.zeros(0)] * len(prompts)
        for part in micro_batches([(1, len(prompt)) for prompt in prompts], PREFILL_TOKENS):
            tokens, mask = (
                each.to(device) for each in pad_rows([prompts[index] for index in part], self.policy.padding_token)
            )
            states = torch.nn.functional.pad(
                self.policy.anatomy.encoded(tokens, mask), (0, 0, 0, longest - tokens.shape[1])
            )
            for index, own in zip(part, states, strict=True):
                hidden[index] = own
        return torch.stack(hidden), mask_US.to(device)

    def _logits(self, batch: Batch) -> Tensor:
        assert isinstance(batch.cache, Seq2SeqCache)
        tokens_B1, _, _ = batch.next_inputs()
        return self._forward(tokens_B1, batch.cache)

    def _forward(self, tokens_BT: Tensor, cache: Seq2SeqCache) -> Tensor:
        """Read tokens into the cache, and return the logits of the token after the last one, (B, V)."""
        logits_BTV: Tensor = self.policy.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=cache.hidden_BSH),
            attention_mask=cache.mask_BS,
            decoder_input_ids=tokens_BT,
            past_key_values=cache.both,
            use_cache=True,
        ).logits
        return logits_BTV[:, -1]

    @cached_property
    def _bytes_a_token(self) -> tuple[int, int]:
        """Bytes in all layers for a token of the prompt, and for a token of the completion.

        Raises:
            ModelError: when the decoder keeps no keys and values for every token, so that rows cannot leave.
        """
        cause = None
        hidden_11H, mask_11 = self._encoded([self.policy.start_tokens[:1]])
        cache = Seq2SeqCache(hidden_11H, mask_11)
        try:
            self._forward(mask_11, cache)
        except (AttributeError, TypeError, ValueError, NotImplementedError, IndexError) as error:
            cause = error
        if cache.num_bytes == 0 or not cache.cross.layers:
            remedy = "does not keep keys and values for every token; only attention models can be sampled from"
            raise ModelError("policy", type(self.policy.model).__name__, remedy) from cause
        return cache.prompt_bytes, cache.num_bytes
