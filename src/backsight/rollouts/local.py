"""Sampling from a language model in this process.

Equal prompts are prefilled once and their cache is expanded to the siblings; rows that have ended leave the batch.
The log-probability of each sampled token is kept from the forward pass that drew it.

Tensors: U distinct prompts, B rows, P prompt tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from backsight.policies.causal_lm import CausalLMPolicy
from backsight.types import Action, Observation, Sampling

BATCH_TOKENS = 65_536
"""Rows times their longest possible length that are decoded together."""
COMPACT_BELOW = 0.75
"""Ended rows are dropped from the cache once fewer than this share is alive: dropping copies the cache."""


@dataclass(slots=True)
class _Row:
    """A completion in the making."""

    index: int
    tokens: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)


class LocalEngine:
    """Acts for a causal language model, in process."""

    def __init__(self, policy: CausalLMPolicy) -> None:
        self.policy = policy

    @torch.no_grad()
    def act(self, observations: Sequence[Observation], sampling: Sampling, seed: int) -> list[Action]:
        model = self.policy.model
        generator = torch.Generator(device=model.device).manual_seed(seed)
        prompts = [self.policy.prompt_tokens(observation) for observation in observations]
        # rows of similar length decode together: less padding
        order = sorted(range(len(prompts)), key=lambda index: (len(prompts[index]), prompts[index]))
        longest = len(prompts[order[-1]]) + sampling.max_completion_length if order else 1
        batch_rows = max(1, BATCH_TOKENS // longest)
        rows: list[_Row] = []
        for start in range(0, len(order), batch_rows):
            rows += self._complete(prompts, order[start : start + batch_rows], sampling, generator)
        return [self._action(row) for row in sorted(rows, key=lambda row: row.index)]

    def _complete(
        self,
        prompts: Sequence[tuple[int, ...]],
        indices: Sequence[int],
        sampling: Sampling,
        generator: torch.Generator,
    ) -> list[_Row]:
        model = self.policy.model
        distinct = list(dict.fromkeys(prompts[index] for index in indices))
        place = {prompt: number for number, prompt in enumerate(distinct)}
        mask_UP, tokens_UP = self._padded(distinct)
        output = model(
            input_ids=tokens_UP,
            attention_mask=mask_UP,
            position_ids=(mask_UP.cumsum(-1) - 1).clamp(min=0),
            use_cache=True,
            logits_to_keep=1,
        )
        expand_B = torch.tensor([place[prompts[index]] for index in indices], device=model.device)
        cache, mask_BT = output.past_key_values, mask_UP[expand_B]
        cache.batch_select_indices(expand_B)
        logits_BV = output.logits[expand_B, -1]
        finished, rows = [], [_Row(index) for index in indices]
        for position in range(sampling.max_completion_length):
            tokens_B, log_probs_B = draw_tokens(logits_BV.float(), sampling.temperature, generator)
            alive = self._record(rows, tokens_B, log_probs_B)
            if not any(alive) or position + 1 == sampling.max_completion_length:
                break
            if sum(alive) < COMPACT_BELOW * len(rows):
                finished += [row for row, is_alive in zip(rows, alive, strict=True) if not is_alive]
                rows = [row for row, is_alive in zip(rows, alive, strict=True) if is_alive]
                keep_B = torch.tensor(alive, device=model.device).nonzero()[:, 0]
                cache.batch_select_indices(keep_B)
                mask_BT, tokens_B = mask_BT[keep_B], tokens_B[keep_B]
            mask_BT = torch.cat([mask_BT, mask_BT.new_ones(len(rows), 1)], -1)
            logits_BV = model(
                input_ids=tokens_B[:, None],
                attention_mask=mask_BT,
                position_ids=mask_BT.sum(-1, keepdim=True) - 1,
                past_key_values=cache,
                use_cache=True,
            ).logits[:, -1]
        return finished + rows

    def _padded(self, prompts: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        """Attention mask and tokens, padded on the left."""
        longest, padding = max(map(len, prompts)), self.policy.padding_token
        mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        tokens = [[padding] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
        device = self.policy.model.device
        return torch.tensor(mask, device=device), torch.tensor(tokens, device=device)

    def _record(self, rows: Sequence[_Row], tokens_B: Tensor, log_probs_B: Tensor) -> list[bool]:
        """Append to the rows that have not ended; returns which rows go on."""
        ends = self.policy.end_tokens
        alive = []
        for row, token, log_prob in zip(rows, tokens_B.tolist(), log_probs_B.tolist(), strict=True):
            if row.tokens and row.tokens[-1] in ends:
                alive.append(False)
                continue
            row.tokens.append(token)
            row.log_probs.append(log_prob)
            alive.append(token not in ends)
        return alive

    def _action(self, row: _Row) -> Action:
        return Action(
            value=tuple(row.tokens),
            log_probs=torch.tensor(row.log_probs),
            text=self.policy.decode(row.tokens),
            is_truncated=row.tokens[-1] not in self.policy.end_tokens,
        )


def draw_tokens(logits_BV: Tensor, temperature: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One token a row and its log-probability, both (B,), by inverting the cumulative distribution.

    That takes one random number a row, where comparing V noisy scores would take V. At temperature 0 the token is the
    most likely one and its log-probability that of the undivided logits.
    """
    if temperature == 0:
        log_probs_BV = logits_BV.log_softmax(-1)
        best = log_probs_BV.max(-1)
        return best.indices, best.values
    log_probs_BV = (logits_BV / temperature).log_softmax(-1)
    cumulative_BV = log_probs_BV.exp().cumsum(-1)
    uniform_B1 = torch.rand(len(logits_BV), 1, generator=generator, device=logits_BV.device)
    # scaled by the last entry, since a float32 sum of many probabilities is not exactly 1
    tokens_B1 = torch.searchsorted(cumulative_BV, uniform_B1 * cumulative_BV[:, -1:], right=True)
    tokens_B1 = tokens_B1.clamp(max=logits_BV.shape[-1] - 1)
    return tokens_B1[:, 0], log_probs_BV.gather(-1, tokens_B1)[:, 0]
