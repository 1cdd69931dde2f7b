"""Sampling from a language model in this process: the parts that do not depend on the kind of model.

Rows that have ended leave the batch. The log-probability of each sampled token is kept from the forward pass that drew
it.

Tensors: B rows, T columns of the cache, C completion tokens (up to the cap), V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from backsight.policies.scoring.log_probs import behaviour_logits
from backsight.policies.text import LanguageModelPolicy, begun_tokens
from backsight.rollouts.base import Capability
from backsight.rollouts.completions import action_of, has_stopped
from backsight.rollouts.decoding.batch import Batch, DecodeCache
from backsight.rollouts.decoding.step import draw_tokens, most_likely, penalise, uniform_numbers
from backsight.rollouts.in_process import InProcessEngine
from backsight.types import Action, Observation, Sampling

CACHE_BYTES = 2**31
"""Most bytes of keys and values of the rows decoded together, on a CPU; a GPU gives half of its free memory."""
LOGIT_ELEMENTS = 2**26
"""Most logits of the rows that are decoded together."""
PREFILL_TOKENS = 8192
"""Most prompt tokens in one forward pass."""
COMPACT_BELOW = 0.75
"""Share of rows alive below which ended rows leave and waiting ones join: both copy the cache."""
GPU_CHECK = 8
"""Number of tokens between checks of which rows have ended, on a GPU, as each check has to wait for it."""

Prompt = TypeVar("Prompt")
"""Type of what a model reads of an observation, in token ids."""


@dataclass(frozen=True, slots=True)
class Request(Generic[Prompt]):
    """A completion that is asked for: the observation's index and prompt, and the seed of the completion."""

    index: int
    prompt: Prompt
    seed: int
    num_begun: int
    """Number of tokens of the completion that stand in the prompt."""


PolicyT = TypeVar("PolicyT", bound=LanguageModelPolicy)


class LanguageModelEngine(InProcessEngine[PolicyT], ABC, Generic[PolicyT, Prompt]):
    """An engine that decides which rows are decoded together and draws their tokens; subclasses run the model."""

    capabilities: frozenset[Capability] = frozenset({"act as", "stream"})

    @abstractmethod
    def _prompt(self, observation: Observation) -> Prompt:
        """Return what the model reads of an observation."""

    @abstractmethod
    def _read_by_decoder(self, prompt: Prompt) -> Sequence[int]:
        """Return the part of a prompt that the completion continues, whose tokens count as repetition."""

    @abstractmethod
    def _order(self, prompt: Prompt) -> Any:
        """Return the key to sort prompts by: neighbours are decoded together, so that there is less padding."""

    @abstractmethod
    def _rows_at_once(self, prompts: Sequence[Prompt], sampling: Sampling) -> int:
        """Return how many rows are decoded together."""

    @abstractmethod
    def _row_bytes(self, prompts: Sequence[Prompt], sampling: Sampling) -> int:
        """Return the most bytes of keys and values that one row takes, its completion included."""

    @abstractmethod
    def _next(self, waiting: deque[Request[Prompt]], batch: Batch | None, most_rows: int) -> list[Request[Prompt]]:
        """Take the requests from the queue that join the batch now, or start one."""

    @abstractmethod
    def _parts(self, requests: Sequence[Request[Prompt]]) -> Iterable[Sequence[Request[Prompt]]]:
        """Cut the requests into parts whose prompts are read at once."""

    @abstractmethod
    def _read(self, prompts: Sequence[Prompt], sampling: Sampling) -> tuple[DecodeCache, Tensor, Tensor]:
        """Read prompts; return the cache, the mask of its columns (B, T), and the logits of the next tokens (B, V)."""

    @abstractmethod
    def _logits(self, batch: Batch) -> Tensor:
        """Compute the logits of each row's next token, (B, V)."""

    @torch.no_grad()
    def most_cached(self, observations: Sequence[Observation], sampling: Sampling) -> tuple[int, int]:
        """Return how many rows are decoded together at most when these are answered, and their bytes in the cache."""
        prompts = [self._prompt(each) for each in observations]
        rows = min(len(prompts), self._rows_at_once(prompts, sampling))
        return rows, rows * self._row_bytes(prompts, sampling)

    @torch.no_grad()
    def act(
        self, observations: Sequence[Observation], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterator[tuple[int, Action]]:
        for observation in observations:
            self.policy.check_prompt(observation, sampling.max_completion_length)
        requests = [
            self._request(index, observation, seed)
            for index, (observation, seed) in enumerate(zip(observations, seeds, strict=True))
        ]
        waiting = deque(sorted(requests, key=lambda request: self._order(request.prompt)))
        most_rows = self._rows_at_once([request.prompt for request in requests], sampling)
        batch: Batch | None = None
        while waiting or batch is not None:
            if new := self._next(waiting, batch, most_rows):
                batch = self._admit(batch, new, sampling)
            assert batch is not None
            self._decode(batch, sampling)
            for index, tokens, log_probs in batch.leave():
                yield index, action_of(self.policy, observations[index], tokens, log_probs, sampling)
            if not len(batch):
                batch = None

    @torch.no_grad()
    def stream(self, observation: Observation, sampling: Sampling, seed: int) -> Iterator[Action]:
        self.policy.check_prompt(observation, sampling.max_completion_length)
        request = self._request(0, observation, seed)
        self._rows_at_once([request.prompt], sampling)  # it tries whether the model can be sampled from
        batch = self._admit(None, [request], sampling)
        while True:
            length = int(batch.lengths_B[0])
            log_probs = batch.log_probs_BC[0, :length].cpu()
            tokens = batch.tokens_BC[0, :length].tolist()
            yield action_of(self.policy, observation, tokens, log_probs, sampling)
            if not batch.is_alive_B[0]:
                return
            with self.profile.phase("decode", 1):
                self._draw(batch, self._logits(batch), sampling)

    def _request(self, index: int, observation: Observation, seed: int) -> Request[Prompt]:
        return Request(index, self._prompt(observation), seed, len(begun_tokens(observation)))

    def _admit(self, batch: Batch | None, requests: Sequence[Request[Prompt]], sampling: Sampling) -> Batch:
        """Read the prompts of some requests, draw the first token of each, and let them join the batch."""
        for part in self._parts(requests):
            cache, mask_BT, logits_BV = self._read([request.prompt for request in part], sampling)
            uniform_BC = uniform_numbers([request.seed for request in part], sampling.max_completion_length)
            seen_BV = None
            if sampling.repetition_penalty != 1:
                seen_BV = _find_occurring([self._read_by_decoder(request.prompt) for request in part], logits_BV)
            indices, begun = [request.index for request in part], [request.num_begun for request in part]
            new = Batch.start(cache, indices, begun, mask_BT, uniform_BC.to(mask_BT.device), seen_BV)
            self._draw(new, logits_BV, sampling)
            if batch is None:
                batch = new
            else:
                batch.join(new)
        assert batch is not None
        return batch

    def _decode(self, batch: Batch, sampling: Sampling) -> None:
        """Draw tokens until so many rows have ended that it is time to let them leave."""
        enough = COMPACT_BELOW * len(batch)
        while (alive := int(batch.is_alive_B.sum())) and alive >= enough:
            # the model must not read beyond the cap: there may be no position for it
            unseen = min(GPU_CHECK, batch.most_left) if self._is_on_gpu else 1
            with self.profile.phase("decode", alive * unseen):
                for _ in range(unseen):
                    self._draw(batch, self._logits(batch), sampling)

    def _draw(self, batch: Batch, logits_BV: Tensor, sampling: Sampling) -> None:
        """Draw the next token of every row."""
        if batch.seen_BV is not None:
            logits_BV = penalise(logits_BV, batch.seen_BV, sampling.repetition_penalty)
        logits_BV = behaviour_logits(logits_BV.float(), sampling, batch.positions_B, self.policy.end_tokens)
        if sampling.temperature == 0:
            tokens_B, log_probs_B = most_likely(logits_BV)
        else:
            tokens_B, log_probs_B = draw_tokens(logits_BV, batch.uniform_BC.gather(1, batch.columns)[:, 0])
        batch.record(tokens_B, log_probs_B, torch.isin(tokens_B, self._end_tokens))
        if sampling.stop_strings:
            self._stop(batch, sampling.stop_strings)

    def _stop(self, batch: Batch, stop_strings: Sequence[str]) -> None:
        """End the rows in which the last token completed one of the strings."""
        for row in batch.is_alive_B.nonzero()[:, 0].tolist():
            tokens = batch.tokens_BC[row, : int(batch.lengths_B[row])].tolist()
            if has_stopped(self.policy, tokens, stop_strings):
                batch.is_alive_B[row] = False

    @property
    def _is_on_gpu(self) -> bool:
        return bool(self.policy.model.device.type == "cuda")

    @cached_property
    def _end_tokens(self) -> Tensor:
        return torch.tensor(self.policy.end_tokens, device=self.policy.model.device)

    def _free_bytes(self, on_a_cpu: int) -> int:
        """Return the bytes for keys and values: half of a GPU's free memory, or else `on_a_cpu`."""
        return int(torch.cuda.mem_get_info(self.policy.model.device)[0]) // 2 if self._is_on_gpu else on_a_cpu


def _find_occurring(prompts: Sequence[Sequence[int]], like_BV: Tensor) -> Tensor:
    """Return which tokens occur in each prompt, (B, V)."""
    seen_BV = torch.zeros_like(like_BV, dtype=torch.bool)
    for row, prompt in enumerate(prompts):
        seen_BV[row, list(prompt)] = True
    return seen_BV
