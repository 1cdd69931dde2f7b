"""Sampling from a language model in this process: what does not depend on the kind of model.

Rows that have ended leave the batch. The log-probability of each sampled token is kept from the forward pass that drew
it.

Tensors: B rows, T columns of the cache, C completion tokens (up to the cap), V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor

from backsight.policies.base import Policy, trained
from backsight.policies.language_model import LanguageModelPolicy, begun_tokens
from backsight.policies.truncation import behaviour_logits
from backsight.profiling import Profile
from backsight.rollouts.batch import Batch
from backsight.rollouts.cache import DecodeCache
from backsight.rollouts.drawing import draw_tokens, most_likely, penalised, uniform_numbers
from backsight.types import Action, Observation, Sampling

CACHE_BYTES = 2**31
"""Keys and values of the rows that are decoded together, on a CPU; on a GPU half of the memory that is free."""
LOGIT_ELEMENTS = 2**26
"""Logits of the rows that are decoded together."""
PREFILL_TOKENS = 8192
"""Prompt tokens in one forward pass."""
COMPACT_BELOW = 0.75
"""Ended rows leave, and waiting ones come, once fewer than this share is alive: both copy the cache."""
GPU_CHECK = 8
"""Tokens between looks at who has ended, on a GPU: each look waits for it."""

Prompt = TypeVar("Prompt")
"""What a model reads of an observation, in token ids."""


@dataclass(frozen=True, slots=True)
class Request(Generic[Prompt]):
    """A completion that is asked for."""

    index: int
    prompt: Prompt
    seed: int
    num_begun: int
    """Tokens of the completion that stand in the prompt."""


class InProcessEngine(ABC, Generic[Prompt]):
    """Decides which rows are decoded together, and draws their tokens; how they are computed is up to the model."""

    def __init__(self, policy: LanguageModelPolicy) -> None:
        self.policy = policy
        self.profile = Profile(policy.model.device)
        self._other: Self | None = None
        """The engine of another policy, kept because to look at a model takes a while."""

    @abstractmethod
    def _prompt(self, observation: Observation) -> Prompt:
        """What the model reads."""

    @abstractmethod
    def _read_by_decoder(self, prompt: Prompt) -> Sequence[int]:
        """The part of it that a completion goes on from: what it holds is penalised as repetition."""

    @abstractmethod
    def _order(self, prompt: Prompt) -> Any:
        """Prompts that come one after the other decode together: less padding."""

    @abstractmethod
    def _rows_at_once(self, prompts: Sequence[Prompt], sampling: Sampling) -> int:
        """How many rows are decoded together."""

    @abstractmethod
    def _next(self, waiting: deque[Request[Prompt]], batch: Batch | None, most_rows: int) -> list[Request[Prompt]]:
        """Take those from the queue that join the batch now, or begin one."""

    @abstractmethod
    def _parts(self, requests: Sequence[Request[Prompt]]) -> Iterable[Sequence[Request[Prompt]]]:
        """The requests in parts whose prompts are read at once."""

    @abstractmethod
    def _read(self, prompts: Sequence[Prompt], sampling: Sampling) -> tuple[DecodeCache, Tensor, Tensor]:
        """Cache, mask (B, T) of its columns, and logits (B, V) of the first token behind each prompt."""

    @abstractmethod
    def _logits(self, batch: Batch) -> Tensor:
        """(B, V) of each row's next token."""

    @torch.no_grad()
    def sync(self, policy: Policy) -> None:
        if policy.module is not self.policy.module:
            pairs = list(zip(*(trained(each.module).values() for each in (self.policy, policy)), strict=True))
            if pairs[0][0].dtype != pairs[0][1].dtype:  # a base in four bits refuses even a change to what it is
                self.policy.module.to(pairs[0][1].dtype)
            for own, new in pairs:
                own.copy_(new)

    def acting_as(self, policy: Policy) -> Self:
        assert isinstance(policy, type(self.policy))
        if policy is self.policy:
            return self
        if self._other is None or self._other.policy is not policy:
            self._other = type(self)(policy)
            self._other.profile = self.profile
        return self._other

    @torch.no_grad()
    def act(
        self, observations: Sequence[Observation], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterator[tuple[int, Action]]:
        for observation in observations:
            self.policy.check_prompt(observation, sampling.max_completion_length)
        requests = [
            Request(index, self._prompt(observation), seed, len(begun_tokens(observation)))
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
                yield index, self._action(observations[index], tokens, log_probs, sampling)
            if not len(batch):
                batch = None

    def _admit(self, batch: Batch | None, requests: Sequence[Request[Prompt]], sampling: Sampling) -> Batch:
        """Read the prompts of some requests, draw the first token of each, and let them join the batch."""
        for part in self._parts(requests):
            cache, mask_BT, logits_BV = self._read([request.prompt for request in part], sampling)
            uniform_BC = uniform_numbers([request.seed for request in part], sampling.max_completion_length)
            seen_BV = None
            if sampling.repetition_penalty != 1:
                seen_BV = _occurring([self._read_by_decoder(request.prompt) for request in part], logits_BV)
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
        """Go on until so many rows have ended that it is time to let them leave."""
        enough = COMPACT_BELOW * len(batch)
        tokens = 0
        with self.profile.phase("decode"):
            while (alive := int(batch.is_alive_B.sum())) and alive >= enough:
                # nobody reads beyond its cap: there may be no position for it
                unseen = min(GPU_CHECK, batch.most_left) if self._is_on_gpu else 1
                for _ in range(unseen):
                    self._draw(batch, self._logits(batch), sampling)
                tokens += alive * unseen
        self.profile.tokens["decode"] += tokens

    def _draw(self, batch: Batch, logits_BV: Tensor, sampling: Sampling) -> None:
        """The next token of every row."""
        if batch.seen_BV is not None:
            logits_BV = penalised(logits_BV, batch.seen_BV, sampling.repetition_penalty)
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
            if _completes(self.policy.decode, tokens, stop_strings):
                batch.is_alive_B[row] = False

    def _action(self, observation: Observation, tokens: list[int], log_probs: Tensor, sampling: Sampling) -> Action:
        begun = begun_tokens(observation)
        tokens = tokens[: max(1, sampling.max_completion_length - len(begun))]
        whole = [*begun, *tokens]
        has_ended = tokens[-1] in self.policy.end_tokens or _completes(self.policy.decode, whole, sampling.stop_strings)
        log_probs = log_probs[: len(tokens)]
        return Action(tuple(tokens), log_probs, self.policy.decode(whole), is_truncated=not has_ended)

    @property
    def _is_on_gpu(self) -> bool:
        return bool(self.policy.model.device.type == "cuda")

    @cached_property
    def _end_tokens(self) -> Tensor:
        return torch.tensor(self.policy.end_tokens, device=self.policy.model.device)

    def _free_bytes(self, on_a_cpu: int) -> int:
        """For the keys and values of the rows that are decoded together."""
        return int(torch.cuda.mem_get_info(self.policy.model.device)[0]) // 2 if self._is_on_gpu else on_a_cpu


def _occurring(prompts: Sequence[Sequence[int]], like_BV: Tensor) -> Tensor:
    """(B, V) which tokens occur in each prompt."""
    seen_BV = torch.zeros_like(like_BV, dtype=torch.bool)
    for row, prompt in enumerate(prompts):
        seen_BV[row, list(prompt)] = True
    return seen_BV


def _completes(decode: Callable[[Sequence[int]], str], tokens: Sequence[int], stop_strings: Sequence[str]) -> bool:
    """Whether the text of the tokens holds a stop string."""
    if not stop_strings:
        return False
    text = decode(tokens)
    return any(string in text for string in stop_strings)
