"""Decoder-only language models: any `AutoModelForCausalLM`.

Tensors: B rows, T tokens, H hidden numbers, N decisions (completion tokens, flat).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from torch import nn

from backsight.errors import DataError
from backsight.policies.anatomy import Anatomy
from backsight.policies.language_model import LanguageModelPolicy, check_can_score
from backsight.policies.layout import Pair, Row, arrange, tensors, width
from backsight.policies.scores import Head, States
from backsight.policies.text import PLAIN, exchanges
from backsight.types import Example, Observation, Sampling


class CausalLMPolicy(LanguageModelPolicy):
    """A language model that completes a prompt. A decision is a token, end-of-text included."""

    @cached_property
    def anatomy(self) -> Anatomy:
        return Anatomy(self.model)

    def check_prompt(self, prompt: Observation, max_completion_length: int) -> None:
        length = len(self.prompt_tokens(prompt))
        if self.max_length is not None and length + max_completion_length > self.max_length:
            raise DataError(
                "prompt",
                prompt,
                f"{length} tokens and max_completion_length={max_completion_length} exceed the model's "
                f"{self.max_length}; shorten the prompt or lower max_completion_length",
            )

    def _extent(self, examples: Sequence[Example]) -> tuple[int, int]:
        """Rows, and tokens of the widest."""
        rows = self._rows(self._pairs(examples))
        return len(rows), width(rows[0])

    def _pairs(self, examples: Sequence[Example]) -> list[Pair]:
        return [(self.prompt_tokens(prompt), response) for prompt, response in exchanges(examples)]

    def _rows(self, pairs: Sequence[Pair]) -> list[Row]:
        longest = max(len(prompt) + len(response) for prompt, response in pairs)
        return arrange(pairs, self.anatomy.attention_width, can_branch=self.anatomy.can_share(longest))

    def states(self, examples: Sequence[Example], sampling: Sampling = PLAIN) -> States:
        check_can_score(sampling)
        pairs = self._pairs(examples)
        rows = self._rows(pairs)
        laid = tensors(rows, pairs, self.padding_token, self.model.dtype).to(self.model.device)
        tokens_N, positions_N = self.taken(examples)
        if self.anatomy.has_head:
            states_BTH = self.anatomy.hidden(laid.tokens_BT, laid.positions_BT, laid.mask_B1TT)
            head: Head = self.anatomy.head
        else:
            states_BTH = self.model(input_ids=laid.tokens_BT, use_cache=False).logits  # all of them: there is no choice
            head = nn.Identity()
        states_NH = states_BTH.flatten(0, 1)[laid.sources_N]
        return States(head, self.anatomy.vocabulary, states_NH, tokens_N, positions_N, sum(map(width, rows)))
