"""Policies made of decoder-only language models: any `AutoModelForCausalLM`.

Tensors: B rows, T tokens, H hidden numbers, N decisions (completion tokens, flat), V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from backsight.errors import DataError, ModelError
from backsight.policies import limits
from backsight.policies.scoring.layout import WIDEST_TREE, Pair, Row, Tree, are_plain, arrange, tensors, width
from backsight.policies.scoring.log_probs import Head, States
from backsight.policies.text import PLAIN, LanguageModelPolicy, begun_tokens, check_can_score, exchanges
from backsight.types import Example, Observation, Sampling

PROBE: tuple[Pair, ...] = (((1, 2, 3), (4, 5, 6)), ((1, 2, 3), (7, 8)), ((3, 2), (1, 5, 4)))
"""A few rows to try the model on, in token ids; a smaller vocabulary takes them modulo its size."""
TOLERANCE = {torch.float32: 5e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""Rounding error that is allowed, as a share of the largest hidden number or logit. SmolLM2-135M, whose first token has
states a thousand times as large as the others, is 1.3e-4 from what float64 gives, on one thread of some processors."""
HEAD_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 8e-3, torch.float16: 1e-3}
"""The same for body and head, whose operations are those of the whole model."""
STATE_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.02}
"""The same as a share of the length of a hidden state; what a window hides changes a state by more."""


class Anatomy:
    """The parts of a model: the body, which turns tokens into hidden states, and the head, which makes the logits."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.body: Any = model.base_model
        self.vocabulary: int = model.get_output_embeddings().weight.shape[0]
        width: int = model.get_output_embeddings().weight.shape[1]
        self.attention_width = 6.0 * width  # row length at which attention costs as much as the rest, by measurement
        self.window = limits.attention_window(model)
        self.has_head = self._has_head()
        self.can_branch = self.has_head and self._can_branch()
        self._tried: dict[tuple[int, int], bool] = {}
        self._taken: bool | None = None
        """What is taken to hold for all widths; None where each is tried."""

    def head(self, hidden_NH: Tensor) -> Tensor:
        """Compute the logits, (N, V), as the whole model does."""
        logits_NV: Tensor = self.model.get_output_embeddings()(hidden_NH)
        cap = getattr(limits.text_config(self.model.config), "final_logit_softcapping", None)
        return logits_NV if cap is None else cap * torch.tanh(logits_NV / cap)

    @property
    def head_weight(self) -> Tensor | None:
        """Weights of the head, (V, H), if it does nothing but multiply by them; else None."""
        output = self.model.get_output_embeddings()
        cap = getattr(limits.text_config(self.model.config), "final_logit_softcapping", None)
        return output.weight if type(output) is nn.Linear and output.bias is None and cap is None else None

    def hidden(self, tokens_BT: Tensor, positions_BT: Tensor | None, mask_B1TT: Tensor | None) -> Tensor:
        """Compute the states that the head reads, (B, T, H). Without a mask, attention is causal."""
        hidden_BTH: Tensor = self.body(
            input_ids=tokens_BT, attention_mask=mask_B1TT, position_ids=positions_BT, use_cache=False
        ).last_hidden_state
        return hidden_BTH

    def can_share(self, longest: int) -> bool:
        """Return whether responses may share a prompt in rows of at most `longest` positions.

        A sliding window has to hold all of them, so that no token loses sight of another.
        """
        return self.can_branch and (self.window is None or longest <= self.window)

    def obeys(self, longest: int, widest: int) -> bool:
        """Return whether a trial shows that siblings may share rows of `widest` tokens, `longest` on each path.

        A model may count in columns what it should count in positions: how far back it looks, or how far away a token
        is. That shows in wide rows alone, under many names. Sizes are tried by powers of two, each once.
        """
        size = min(_power_of_two(longest), self.window or longest * 2, limits.max_length(self.model) or longest * 2)
        key = (max(size, longest), min(_power_of_two(widest), max(widest, WIDEST_TREE)))
        if key not in self._tried:
            self._tried[key] = self._try_wide_row(*key) if self._taken is None else self._taken
        return self._tried[key]

    def try_once(self) -> None:
        """Try one narrow row, and take what it shows for rows of all widths: for rehearsals, which learn nothing."""
        if self.can_branch:
            self._taken = self._try_wide_row(2, 8)

    @torch.no_grad()
    def _has_head(self) -> bool:
        """Return whether body and head give the model's logits, which some models scale, each in its own way.

        Raises:
            ModelError: when the model computes no logits.
        """
        tokens_1T = torch.tensor([PROBE[0][0]], device=self.model.device) % self.vocabulary
        try:
            expected_TV = self.model(input_ids=tokens_1T, use_cache=False).logits[0]
        except Exception as error:  # a model may be anybody's code
            reason = " ".join(str(error).split())[:100]
            remedy = f"computes no logits of a row of tokens ({reason}); take another model"
            raise ModelError("policy", type(self.model).__name__, remedy) from error
        try:
            return is_close(self.head(self.hidden(tokens_1T, None, None)[0]), expected_TV, HEAD_TOLERANCE)
        except (AttributeError, TypeError, RuntimeError):  # the body is another, or gives no hidden states by that name
            return False

    @torch.no_grad()
    def _can_branch(self) -> bool:
        """Return whether the model obeys a mask of four dimensions and positions that do not count up."""
        if self.window is not None and self.window < _longest(PROBE):
            return False
        plain_NH, branching_NH = self._probe(0.0), None
        try:
            branching_NH = self._probe(1e6)
        except (RuntimeError, ValueError, TypeError, NotImplementedError):  # an attention kernel may refuse the mask
            return False
        return is_close(branching_NH, plain_NH)

    @torch.no_grad()
    def _try_wide_row(self, longest: int, widest: int) -> bool:
        """Return whether the first and the last of many siblings in one row get the states that they get alone."""
        length = max(2, longest // 2)
        count = max(2, math.ceil((widest - length) / (length - 1)))
        pairs: list[Pair] = [
            (tuple(range(length)), tuple(5 + 7 * number + 3 * place for place in range(length)))
            for number in range(count)
        ]
        tree = Tree(pairs[0][0], tuple(range(count)), length + count * (length - 1))
        try:
            shared_NH = self._states_of([[tree]], pairs)
        except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError):  # such as a table too narrow
            return False
        plain_NH = self._states_of(arrange([pairs[0], pairs[-1]], 0.0, can_branch=False), [pairs[0], pairs[-1]])
        ends_NH = torch.cat([shared_NH[:length], shared_NH[-length:]]).float()
        difference_N = (ends_NH - plain_NH.float()).norm(dim=-1) / plain_NH.float().norm(dim=-1)
        return float(difference_N.max()) <= STATE_TOLERANCE.get(plain_NH.dtype, 0.02)

    def _probe(self, attention_width: float) -> Tensor:
        return self._states_of(arrange(PROBE, attention_width, can_branch=attention_width > 0), PROBE)

    def _states_of(self, rows: list[Row], pairs: Sequence[Pair]) -> Tensor:
        """Compute the hidden state at each decision, (N, H), of pairs of any token ids."""
        laid = tensors(rows, pairs, padding=0, dtype=self.model.dtype).to(self.model.device)
        states_BTH = self.hidden(laid.tokens_BT % self.vocabulary, laid.positions_BT, laid.mask_B1TT)
        return states_BTH.flatten(0, 1)[laid.sources_N]


def _longest(pairs: Sequence[Pair]) -> int:
    return max(len(prompt) + len(response) for prompt, response in pairs)


def _power_of_two(number: int) -> int:
    """Return the least power of two that is not below the number."""
    return 1 << (number - 1).bit_length()


def is_close(found: Tensor, expected: Tensor, tolerance: Mapping[torch.dtype, float] = TOLERANCE) -> bool:
    """Return whether two ways to compute the same numbers differ by rounding alone."""
    largest = float(expected.abs().max())
    return float((found - expected).abs().max()) <= tolerance.get(expected.dtype, 1e-2) * largest


class CausalLMPolicy(LanguageModelPolicy):
    """A decoder-only language model that completes a prompt. A decision is a token, end-of-text included."""

    kind = "causal_lm"

    @cached_property
    def anatomy(self) -> Anatomy:
        return Anatomy(self.model)

    def check_prompt(self, prompt: Observation, max_completion_length: int) -> None:
        length = len(self.prompt_tokens(prompt))
        rest = max(0, max_completion_length - len(begun_tokens(prompt)))
        if self.max_length is not None and length + rest > self.max_length:
            raise DataError(
                "prompt",
                prompt,
                f"{length} tokens and max_completion_length={max_completion_length} exceed the model's "
                f"{self.max_length}; shorten the prompt or lower max_completion_length",
            )

    def micro_batches(self, examples: Sequence[Example], budget: int) -> list[list[int]]:
        cuts = super().micro_batches(examples, budget)
        for cut in cuts:  # now, because a layout is tried in a pass of its own, and ranks count passes
            self._lay_out(self._pairs([examples[index] for index in cut]))
        return cuts

    def _extent(self, examples: Sequence[Example]) -> tuple[int, int]:
        """Return the number of rows, and the tokens of the widest."""
        rows = self._rows(self._pairs(examples))
        return len(rows), width(rows[0])

    def _pairs(self, examples: Sequence[Example]) -> list[Pair]:
        return [(self.prompt_tokens(prompt), response) for prompt, response in exchanges(examples)]

    def _rows(self, pairs: Sequence[Pair]) -> list[Row]:
        return arrange(pairs, self.anatomy.attention_width, can_branch=self.anatomy.can_share(_longest(pairs)))

    def _lay_out(self, pairs: Sequence[Pair]) -> list[Row]:
        """Return the rows that are computed: plain ones where a trial shows that siblings may not share theirs."""
        rows = self._rows(pairs)
        if are_plain(rows) or self.anatomy.obeys(_longest(pairs), width(rows[0])):
            return rows
        return arrange(pairs, 0.0, can_branch=False)

    def states(self, examples: Sequence[Example], sampling: Sampling = PLAIN) -> States:
        check_can_score(sampling)
        pairs = self._pairs(examples)
        rows = self._lay_out(pairs)
        laid = tensors(rows, pairs, self.padding_token, self.model.dtype).to(self.model.device)
        tokens_N, positions_N = self.responses_of(examples)
        if self.anatomy.has_head:
            states_BTH = self.anatomy.hidden(laid.tokens_BT, laid.positions_BT, laid.mask_B1TT)
            head: Head = self.anatomy.head
            weight_VH = self.anatomy.head_weight
        else:
            states_BTH = self.model(input_ids=laid.tokens_BT, use_cache=False).logits  # there is no head to use
            head, weight_VH = nn.Identity(), None
        states_NH = states_BTH.flatten(0, 1)[laid.sources_N]
        num_tokens = sum(map(width, rows))
        return States(head, self.anatomy.vocabulary, states_NH, tokens_N, positions_N, num_tokens, weight_VH)
