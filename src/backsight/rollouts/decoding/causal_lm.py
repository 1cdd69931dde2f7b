"""Sampling from a decoder-only language model in this process.

Equal prompts are prefilled once and their cache is expanded to the siblings. Rows that have ended leave the batch, and
waiting prompts take their places.

Tensors: U distinct prompts, B rows, T columns of the cache, V vocabulary.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import cached_property

import torch
from torch import Tensor

from backsight.errors import ModelError
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.scoring.layout import Tokens
from backsight.rollouts.decoding.batch import SPARE_COLUMNS, Batch, DecodeCache
from backsight.rollouts.decoding.captured import CapturedStep
from backsight.rollouts.decoding.language_model import (
    CACHE_BYTES,
    COMPACT_BELOW,
    GPU_CHECK,
    LOGIT_ELEMENTS,
    PREFILL_TOKENS,
    LanguageModelEngine,
    Request,
)
from backsight.rollouts.decoding.step import DecodeStep, LeanStep, check_decodes, decode_step
from backsight.types import Observation, Sampling


class CausalLMEngine(LanguageModelEngine[CausalLMPolicy, Tokens]):
    """An engine for causal language models, in this process."""

    def _prompt(self, observation: Observation) -> Tokens:
        return self.policy.prompt_tokens(observation)

    def _read_by_decoder(self, prompt: Tokens) -> Tokens:
        return prompt

    def _order(self, prompt: Tokens) -> tuple[int, Tokens]:
        return len(prompt), prompt

    def _rows_at_once(self, prompts: Sequence[Tokens], sampling: Sampling) -> int:
        return self._most_rows(max(map(len, prompts), default=0) + sampling.max_completion_length)

    def _row_bytes(self, prompts: Sequence[Tokens], sampling: Sampling) -> int:
        columns = max(map(len, prompts), default=0) + sampling.max_completion_length
        return (columns + self._spare(sampling)) * self._bytes_a_token

    def _next(self, waiting: deque[Request[Tokens]], batch: Batch | None, most_rows: int) -> list[Request[Tokens]]:
        room = most_rows - (len(batch) if batch else 0)
        if room <= (1 - COMPACT_BELOW) * most_rows:
            return []
        return [waiting.popleft() for _ in range(min(room, len(waiting)))]

    def _parts(self, requests: Sequence[Request[Tokens]]) -> Iterator[list[Request[Tokens]]]:
        """Cut the requests into parts whose distinct prompts are read in one forward pass."""
        part: list[Request[Tokens]] = []
        distinct: set[Tokens] = set()
        for request in requests:
            prompt = request.prompt
            if part and prompt not in distinct and (len(distinct) + 1) * len(prompt) > PREFILL_TOKENS:
                yield part
                part, distinct = [], set()
            part.append(request)
            distinct.add(prompt)
        if part:
            yield part

    def _read(self, prompts: Sequence[Tokens], sampling: Sampling) -> tuple[DecodeCache, Tensor, Tensor]:
        distinct = list(dict.fromkeys(prompts))
        with self.profile.phase("prefill", sum(map(len, distinct))):
            cache, mask_UT, logits_UV = self._prefill(distinct, self._spare(sampling))
            place = {prompt: number for number, prompt in enumerate(distinct)}
            rows_B = torch.tensor([place[prompt] for prompt in prompts], device=mask_UT.device)
            cache.keep(rows_B, 0)
        return cache, mask_UT[rows_B], logits_UV[rows_B]

    def _spare(self, sampling: Sampling) -> int:
        """Return the spare columns of the cache: on a GPU a whole completion's, so that a captured graph stays good."""
        return sampling.max_completion_length + GPU_CHECK if self._is_on_gpu else SPARE_COLUMNS

    def _prefill(self, prompts: Sequence[Tokens], spare: int) -> tuple[DecodeCache, Tensor, Tensor]:
        """Read prompts padded on the left; return cache, mask (U, T) and the logits of the next tokens (U, V)."""
        longest, padding, device = max(map(len, prompts)), self.policy.padding_token, self.policy.model.device
        mask_UT = torch.tensor([[0] * (longest - len(each)) + [1] * len(each) for each in prompts], device=device)
        tokens_UT = torch.tensor([[padding] * (longest - len(each)) + list(each) for each in prompts], device=device)
        cache = DecodeCache(spare)
        logits_U1V = self.policy.model(
            input_ids=tokens_UT,
            attention_mask=mask_UT,
            position_ids=(mask_UT.cumsum(-1) - 1).clamp(min=0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        return cache, mask_UT, logits_U1V[:, -1]

    def _logits(self, batch: Batch) -> Tensor:
        tokens_B1, mask_BT, positions_B1 = batch.next_inputs()
        return self._step(tokens_B1, mask_BT, positions_B1, batch.cache)

    @cached_property
    def _step(self) -> DecodeStep:
        step = decode_step(self.policy.model)
        return CapturedStep(step) if isinstance(step, LeanStep) and self._is_on_gpu else step

    @torch.no_grad()
    def try_out(self) -> None:
        _ = self._step, self._bytes_a_token

    def _most_rows(self, longest: int) -> int:
        """Return how many rows of at most `longest` tokens are decoded together."""
        by_cache = self._free_bytes(CACHE_BYTES) // (longest * self._bytes_a_token)
        return max(1, min(by_cache, LOGIT_ELEMENTS // self.policy.anatomy.vocabulary))

    @cached_property
    def _bytes_a_token(self) -> int:
        """Bytes of keys and values in all layers, measured on one token.

        Raises:
            ModelError: when the model keeps no keys and values for every token, so that rows cannot come and go, or
                computes otherwise with them than without.
        """
        name, num_bytes, cause = type(self.policy.model).__name__, 0, None
        try:
            num_bytes = self._prefill([(0,)], 0)[0].num_bytes
        except Exception as error:  # a model may be anybody's code
            cause = error
        if num_bytes == 0:
            reason = "" if cause is None else f" ({' '.join(str(cause).split())[:80]})"
            remedy = f"does not keep keys and values for every token{reason}; only attention models can be sampled from"
            raise ModelError("policy", name, remedy) from cause
        check_decodes(self.policy.model)
        return num_bytes
