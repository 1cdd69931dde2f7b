"""Decoder-only language models: any `AutoModelForCausalLM`.

Tensors: B rows, T tokens, H hidden numbers, N decisions (completion tokens, flat).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from backsight.errors import ConfigError, DataError
from backsight.policies.anatomy import Anatomy
from backsight.policies.batching import micro_batches
from backsight.policies.layout import Pair, Row, Tokens, arrange, tensors, width
from backsight.policies.scores import Head, States, score
from backsight.policies.text import NOTHING_ELSE, PLAIN, TextPolicy, end_tokens, exchanges
from backsight.types import ActionValue, Begun, Decisions, Example, Observation, Sampling, Wanted


class CausalLMPolicy(TextPolicy):
    """A language model that completes a prompt. A decision is a token, end-of-text included."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__(model, tokenizer)
        self.end_tokens = end_tokens(model, tokenizer)
        self.padding_token: int = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self.end_tokens[0]

    @cached_property
    def anatomy(self) -> Anatomy:
        return Anatomy(self.model)

    def encode(self, text: str) -> ActionValue:
        return (*self.tokenizer(text, add_special_tokens=False)["input_ids"], self.end_tokens[0])

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of a completion, without special tokens."""
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True)
        return text

    def check_prompt(self, prompt: Observation, max_completion_length: int) -> None:
        length = len(self.prompt_tokens(prompt))
        if self.max_length is not None and length + max_completion_length > self.max_length:
            raise DataError(
                "prompt",
                prompt,
                f"{length} tokens and max_completion_length={max_completion_length} exceed the model's "
                f"{self.max_length}; shorten the prompt or lower max_completion_length",
            )

    def micro_batches(self, examples: Sequence[Example], budget: int) -> list[list[int]]:
        """Examples with the same prompt stay together, as far as the budget lets them: they share its computation."""
        siblings: dict[tuple[Tokens, ...], list[int]] = {}
        for index, example in enumerate(examples):
            siblings.setdefault(tuple(map(self.prompt_tokens, example.prompts)), []).append(index)
        parts = [part for indices in siblings.values() for part in self._fitting(indices, examples, budget)]
        units = [self._extent([examples[index] for index in part]) for part in parts]
        return [[index for unit in batch for index in parts[unit]] for batch in micro_batches(units, budget)]

    def _fitting(self, indices: list[int], examples: Sequence[Example], budget: int) -> list[list[int]]:
        """The siblings, halved until a part is within the budget.

        Where one of them alone is near or above it, most of that is their prompt, and to cut would compute it again for
        each: then a part may take half of the budget besides.
        """
        if len(indices) == 1:
            return [indices]
        rows, widest = self._extent([examples[index] for index in indices])
        alone = max(self._extent([examples[index]])[1] for index in indices)
        if rows * widest <= budget or (rows == 1 and widest <= alone + budget // 2):
            return [indices]
        half = len(indices) // 2
        return self._fitting(indices[:half], examples, budget) + self._fitting(indices[half:], examples, budget)

    def _extent(self, examples: Sequence[Example]) -> tuple[int, int]:
        """Rows, and tokens of the widest."""
        rows = self._rows(self._pairs(examples))
        return len(rows), width(rows[0])

    def _pairs(self, examples: Sequence[Example]) -> list[Pair]:
        return [(self.prompt_tokens(prompt), response) for prompt, response in exchanges(examples)]

    def _rows(self, pairs: Sequence[Pair]) -> list[Row]:
        longest = max(len(prompt) + len(response) for prompt, response in pairs)
        return arrange(pairs, self.anatomy.attention_width, can_branch=self.anatomy.can_share(longest))

    def log_probs(
        self,
        examples: Sequence[Example],
        sampling: Sampling = PLAIN,
        wanted: Wanted = NOTHING_ELSE,
    ) -> Decisions:
        states = self.states(examples, sampling)
        return score(states, sampling, self.end_tokens, wanted)

    def states(self, examples: Sequence[Example], sampling: Sampling = PLAIN) -> States:
        """What the head makes logits of, at each decision."""
        if sampling.repetition_penalty != 1:
            raise ConfigError(
                "repetition_penalty", sampling.repetition_penalty, "attempts sampled with it cannot be learnt from"
            )
        pairs, device = self._pairs(examples), self.model.device
        rows = self._rows(pairs)
        laid = tensors(rows, pairs, self.padding_token, self.model.dtype).to(device)
        tokens_N = torch.tensor([token for _, response in pairs for token in response], device=device)
        positions_N = torch.tensor(
            [_begun(prompt) + position for prompt, response in exchanges(examples) for position in range(len(response))]
        )
        if self.anatomy.has_head:
            states_BTH = self.anatomy.hidden(laid.tokens_BT, laid.positions_BT, laid.mask_B1TT)
            head: Head = self.anatomy.head
        else:
            states_BTH = self.model(input_ids=laid.tokens_BT, use_cache=False).logits  # all of them: there is no choice
            head = nn.Identity()
        states_NH = states_BTH.flatten(0, 1)[laid.sources_N]
        return States(head, self.anatomy.vocabulary, states_NH, tokens_N, positions_N.to(device), sum(map(width, rows)))

    def features(self, examples: Sequence[Example]) -> Tensor:
        return self.states(examples).hidden_NH


def _begun(prompt: Observation) -> int:
    """Tokens of the completion that stand in the prompt."""
    return len(prompt.tokens) if isinstance(prompt, Begun) else 0
