"""What language models share, decoder-only or encoder-decoder: a decision is a token of the completion.

Tensors: N decisions, flat.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from backsight.errors import ConfigError
from backsight.policies.batching import sibling_batches
from backsight.policies.scores import States, score
from backsight.policies.text import NOTHING_ELSE, PLAIN, TextPolicy, end_tokens, exchanges
from backsight.types import ActionValue, Begun, Decisions, Example, Observation, Sampling, Wanted


class LanguageModelPolicy(TextPolicy):
    """A model that writes a completion token by token, end-of-text included."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__(model, tokenizer)
        self.end_tokens = end_tokens(model, tokenizer)
        self.padding_token: int = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self.end_tokens[0]

    @abstractmethod
    def states(self, examples: Sequence[Example], sampling: Sampling = PLAIN) -> States:
        """What the head makes logits of, at each decision."""

    @abstractmethod
    def _extent(self, examples: Sequence[Example]) -> tuple[int, int]:
        """Rows, and tokens of the widest, when the examples are scored together."""

    def encode(self, text: str) -> ActionValue:
        return (*self.tokenizer(text, add_special_tokens=False)["input_ids"], self.end_tokens[0])

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of a completion, without special tokens."""
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True)
        return text

    def micro_batches(self, examples: Sequence[Example], budget: int) -> list[list[int]]:
        """Examples with the same prompt stay together, as far as the budget lets them: they share its computation."""
        return sibling_batches(
            self.siblings(examples), lambda indices: self._extent([examples[index] for index in indices]), budget
        )

    def log_probs(
        self, examples: Sequence[Example], sampling: Sampling = PLAIN, wanted: Wanted = NOTHING_ELSE
    ) -> Decisions:
        return score(self.states(examples, sampling), sampling, self.end_tokens, wanted)

    def taken(self, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
        """(N,) the tokens of the responses, and (N,) how many tokens of the completion stand before each."""
        tokens = [token for _, response in exchanges(examples) for token in response]
        positions = [
            len(begun_tokens(prompt)) + position
            for prompt, response in exchanges(examples)
            for position in range(len(response))
        ]
        return torch.tensor(tokens, device=self.model.device), torch.tensor(positions, device=self.model.device)

    def features(self, examples: Sequence[Example]) -> Tensor:
        return self.states(examples).hidden_NH


def begun_tokens(prompt: Observation) -> tuple[int, ...]:
    """Tokens of the completion that stand in the prompt."""
    return prompt.tokens if isinstance(prompt, Begun) else ()


def check_can_score(sampling: Sampling) -> None:
    """Raises `ConfigError` for a way of sampling that the learner cannot score."""
    if sampling.repetition_penalty != 1:
        remedy = "attempts sampled with it cannot be learnt from"
        raise ConfigError("repetition_penalty", sampling.repetition_penalty, remedy)
