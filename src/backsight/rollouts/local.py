"""Sampling from a language model in this process.

Equal prompts are prefilled once and their cache is expanded to the siblings. Rows that have ended leave the batch, and
waiting prompts take their places. The log-probability of each sampled token is kept from the forward pass that drew it.

Tensors: U distinct prompts, B rows, T columns of the cache, C completion tokens, V vocabulary.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import torch
from torch import Tensor

from backsight.errors import ModelError
from backsight.policies.base import Policy
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.truncation import behaviour_logits
from backsight.profiling import Profile
from backsight.rollouts.batch import Batch
from backsight.rollouts.cache import SPARE_COLUMNS, DecodeCache
from backsight.rollouts.captured import CapturedStep
from backsight.rollouts.decoding import DecodeStep, LeanStep, decode_step
from backsight.rollouts.drawing import draw_tokens, most_likely, penalised, uniform_numbers
from backsight.types import Action, Begun, Observation, Sampling

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


class LocalEngine:
    """Acts for a causal language model, in process."""

    def __init__(self, policy: CausalLMPolicy) -> None:
        self.policy = policy
        self.profile = Profile(policy.model.device)
        self._other: LocalEngine | None = None
        """The engine of another policy, kept because to look at a model takes a while."""

    @torch.no_grad()
    def sync(self, policy: Policy) -> None:
        if policy.module is not self.policy.module:
            self.policy.module.to(next(policy.module.parameters()).dtype)
            for own, new in zip(self.policy.module.parameters(), policy.module.parameters(), strict=True):
                own.copy_(new)

    def acting_as(self, policy: Policy) -> LocalEngine:
        assert isinstance(policy, CausalLMPolicy)
        if policy is self.policy:
            return self
        if self._other is None or self._other.policy is not policy:
            self._other = LocalEngine(policy)
            self._other.profile = self.profile
        return self._other

    @torch.no_grad()
    def act(
        self, observations: Sequence[Observation], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterator[tuple[int, Action]]:
        for observation in observations:
            self.policy.check_prompt(observation, sampling.max_completion_length)
        prompts = [self.policy.prompt_tokens(observation) for observation in observations]
        # rows of similar length decode together: less padding
        waiting = deque(sorted(range(len(prompts)), key=lambda index: (len(prompts[index]), prompts[index])))
        longest = max(map(len, prompts), default=0) + sampling.max_completion_length
        most_rows = self._most_rows(longest)
        batch: Batch | None = None
        while waiting or batch is not None:
            room = most_rows - (len(batch) if batch else 0)
            if waiting and room > (1 - COMPACT_BELOW) * most_rows:
                requests = [waiting.popleft() for _ in range(min(room, len(waiting)))]
                batch = self._admit(batch, requests, prompts, sampling, seeds)
            assert batch is not None
            self._decode(batch, sampling)
            for index, tokens, log_probs in batch.leave():
                yield index, self._action(observations[index], tokens, log_probs, sampling)
            if not len(batch):
                batch = None

    def _admit(
        self,
        batch: Batch | None,
        requests: Sequence[int],
        prompts: Sequence[tuple[int, ...]],
        sampling: Sampling,
        seeds: Sequence[int],
    ) -> Batch:
        """Read the prompts of some requests, draw the first token of each, and let them join the batch."""
        for part in _parts(requests, prompts):
            distinct = list(dict.fromkeys(prompts[index] for index in part))
            with self.profile.phase("prefill", sum(map(len, distinct))):
                cache, mask_UT, logits_UV = self._prefill(distinct, self._spare(sampling))
                place = {prompt: number for number, prompt in enumerate(distinct)}
                rows_B = torch.tensor([place[prompts[index]] for index in part], device=mask_UT.device)
                cache.keep(rows_B, 0)
            uniform_BC = uniform_numbers([seeds[index] for index in part], sampling.max_completion_length)
            seen_BV = None
            if sampling.repetition_penalty != 1:
                seen_BV = _occurring([prompts[index] for index in part], logits_UV[rows_B])
            new = Batch.start(cache, part, mask_UT[rows_B], uniform_BC.to(mask_UT.device), seen_BV)
            self._draw(new, logits_UV[rows_B], sampling)
            if batch is None:
                batch = new
            else:
                batch.join(new)
        assert batch is not None
        return batch

    def _spare(self, sampling: Sampling) -> int:
        """Columns of room in the cache: on a GPU for whole completions, so that a captured graph stays good."""
        return sampling.max_completion_length + GPU_CHECK if self._is_on_gpu else SPARE_COLUMNS

    def _prefill(self, prompts: Sequence[tuple[int, ...]], spare: int) -> tuple[DecodeCache, Tensor, Tensor]:
        """Cache and mask (U, T) of prompts padded on the left, and the logits (U, V) of their first tokens."""
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

    def _decode(self, batch: Batch, sampling: Sampling) -> None:
        """Go on until so many rows have ended that it is time to let them leave."""
        check_every = GPU_CHECK if self._is_on_gpu else 1
        enough = COMPACT_BELOW * len(batch)
        tokens = 0
        with self.profile.phase("decode"):
            while (alive := int(batch.is_alive_B.sum())) and alive >= enough:
                for _ in range(check_every):
                    tokens_B1, mask_BT, positions_B1 = batch.next_inputs()
                    self._draw(batch, self._step(tokens_B1, mask_BT, positions_B1, batch.cache), sampling)
                tokens += alive * check_every
        self.profile.tokens["decode"] += tokens

    def _draw(self, batch: Batch, logits_BV: Tensor, sampling: Sampling) -> None:
        """The next token of every row."""
        if batch.seen_BV is not None:
            logits_BV = penalised(logits_BV, batch.seen_BV, sampling.repetition_penalty)
        logits_BV = behaviour_logits(logits_BV.float(), sampling, batch.lengths_B, self.policy.end_tokens)
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
        begun = observation.tokens if isinstance(observation, Begun) else ()
        tokens = tokens[: max(1, sampling.max_completion_length - len(begun))]
        whole = [*begun, *tokens]
        has_ended = tokens[-1] in self.policy.end_tokens or _completes(self.policy.decode, whole, sampling.stop_strings)
        log_probs = log_probs[: len(tokens)]
        return Action(tuple(tokens), log_probs, self.policy.decode(whole), is_truncated=not has_ended)

    @cached_property
    def _step(self) -> DecodeStep:
        step = decode_step(self.policy.model)
        return CapturedStep(step) if isinstance(step, LeanStep) and self._is_on_gpu else step

    @property
    def _is_on_gpu(self) -> bool:
        return bool(self.policy.model.device.type == "cuda")

    @cached_property
    def _end_tokens(self) -> Tensor:
        return torch.tensor(self.policy.end_tokens, device=self.policy.model.device)

    def _most_rows(self, longest: int) -> int:
        """How many rows of so many tokens are decoded together."""
        device = self.policy.model.device
        budget = torch.cuda.mem_get_info(device)[0] // 2 if self._is_on_gpu else CACHE_BYTES
        by_cache = int(budget) // (longest * self._bytes_a_token)
        return max(1, min(by_cache, LOGIT_ELEMENTS // self.policy.anatomy.vocabulary))

    @cached_property
    def _bytes_a_token(self) -> int:
        """Of keys and values in all layers, seen on one token.

        Raises:
            ModelError: the model remembers in another way, so that rows cannot come and go.
        """
        model, cache, cause = self.policy.model, DecodeCache(), None
        try:
            token_11 = torch.zeros(1, 1, dtype=torch.long, device=model.device)
            model(input_ids=token_11, past_key_values=cache, use_cache=True)
        except (AttributeError, TypeError, ValueError, NotImplementedError, IndexError) as error:
            cause = error
        if cache.num_bytes == 0:
            remedy = "does not keep keys and values for every token; only attention models can be sampled from"
            raise ModelError("policy", type(model).__name__, remedy) from cause
        return cache.num_bytes


def _parts(requests: Sequence[int], prompts: Sequence[tuple[int, ...]]) -> Iterator[list[int]]:
    """The requests in parts whose distinct prompts are read in one forward pass."""
    part: list[int] = []
    distinct: set[tuple[int, ...]] = set()
    for index in requests:
        prompt = prompts[index]
        if part and prompt not in distinct and (len(distinct) + 1) * len(prompt) > PREFILL_TOKENS:
            yield part
            part, distinct = [], set()
        part.append(index)
        distinct.add(prompt)
    if part:
        yield part


def _occurring(prompts: Sequence[tuple[int, ...]], like_BV: Tensor) -> Tensor:
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
