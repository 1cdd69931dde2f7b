"""Encoder-decoder language models: any `AutoModelForSeq2SeqLM` (T5, mT5, BART, …).

Tensors: U distinct prompts, B rows, S tokens of a prompt, T of a completion, H hidden numbers, N decisions, flat.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch

from backsight.errors import DataError, ModelError
from backsight.policies.language_model import LanguageModelPolicy, begun_tokens, check_can_score
from backsight.policies.layout import Tokens, padded
from backsight.policies.scores import States
from backsight.policies.seq2seq_anatomy import Seq2SeqAnatomy
from backsight.policies.text import PLAIN, exchanges
from backsight.types import Begun, Example, Observation, Sampling


class Seq2SeqLMPolicy(LanguageModelPolicy):
    """The encoder reads the prompt, the decoder writes the response. A decision is a token, end-of-text included.

    What the decoder has to begin with, `start_tokens`, is given and no decision: the start token, and behind it the
    one that `generate` would force (BART's beginning of text, mBART's language). Siblings share the encoder's work.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__(model, tokenizer)
        self.start_tokens = _start_tokens(model, tokenizer)

    @cached_property
    def anatomy(self) -> Seq2SeqAnatomy:
        return Seq2SeqAnatomy(self.model)

    @property
    def max_length(self) -> int | None:
        """Tokens of a prompt; None where there is no limit, as in T5, which knows distances only."""
        return self._limit("encoder")

    def prompt_tokens(self, prompt: Observation) -> Tokens:
        """What the encoder reads: without the completion that has been begun."""
        return super().prompt_tokens(prompt.prompt if isinstance(prompt, Begun) else prompt)

    def prefix_tokens(self, prompt: Observation) -> Tokens:
        """What the decoder reads before the first decision."""
        return (*self.start_tokens, *begun_tokens(prompt))

    def check_prompt(self, prompt: Observation, max_completion_length: int) -> None:
        length, prefix = len(self.prompt_tokens(prompt)), len(self.prefix_tokens(prompt))
        if self.max_length is not None and length > self.max_length:
            remedy = f"{length} tokens exceed the encoder's {self.max_length}; shorten the prompt"
            raise DataError("prompt", prompt, remedy)
        limit = self._limit("decoder")
        if limit is not None and prefix + max_completion_length > limit:
            remedy = f"with the {prefix} tokens it begins with, it exceeds the decoder's {limit}; lower it"
            raise DataError("max_completion_length", max_completion_length, remedy)

    def _limit(self, part: str) -> int | None:
        names = (f"max_{part}_position_embeddings", "max_position_embeddings")
        lengths = [getattr(self.model.config, name, None) for name in names]
        return next((int(length) for length in lengths if length), None)

    def _extent(self, examples: Sequence[Example]) -> tuple[int, int]:
        """Rows, and tokens of the widest: those of the completion, and its share of the prompts."""
        pairs = list(exchanges(examples))
        prompts = {self.prompt_tokens(prompt) for prompt, _ in pairs}
        longest = max(len(self.prefix_tokens(prompt)) + len(response) for prompt, response in pairs)
        return len(pairs), longest + math.ceil(len(prompts) * max(map(len, prompts)) / len(pairs))

    def states(self, examples: Sequence[Example], sampling: Sampling = PLAIN) -> States:
        check_can_score(sampling)
        device, pairs = self.model.device, list(exchanges(examples))
        prompts = [self.prompt_tokens(prompt) for prompt, _ in pairs]
        places = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompts))}
        rows_B = torch.tensor([places[prompt] for prompt in prompts], device=device)
        prompts_US, mask_US = (each.to(device) for each in padded(list(places), self.padding_token))
        # the last token of a response predicts nothing
        read = [(*self.prefix_tokens(prompt), *response[:-1]) for prompt, response in pairs]
        tokens_BT = padded(read, self.padding_token)[0].to(device)
        hidden_USH = self.anatomy.encoded(prompts_US, mask_US)
        states_BTH = self.anatomy.decoded(tokens_BT, hidden_USH[rows_B], mask_US[rows_B])
        ends = [row * tokens_BT.shape[1] + len(tokens) for row, tokens in enumerate(read)]
        sources = [
            end - len(response) + position
            for end, (_, response) in zip(ends, pairs, strict=True)
            for position in range(len(response))
        ]
        states_NH = states_BTH.flatten(0, 1)[torch.tensor(sources, device=device)]
        num_tokens = sum(map(len, places)) + sum(map(len, read))
        return States(self.anatomy.head, self.anatomy.vocabulary, states_NH, *self.taken(examples), num_tokens)


def _start_tokens(model: Any, tokenizer: Any) -> Tokens:
    """As `generate` finds them, in the generation configuration first.

    Raises:
        ModelError: the decoder does not know what to begin with.
    """
    configs = [each for each in (model.generation_config, model.config) if each is not None]

    def configured(name: str) -> int | None:
        return next((value for each in configs if (value := getattr(each, name, None)) is not None), None)

    start, forced = (configured(name) for name in ("decoder_start_token_id", "forced_bos_token_id"))
    if start is None:
        start = configured("bos_token_id")
    if start is None:
        remedy = "does not say what the decoder begins with; set decoder_start_token_id in its configuration"
        raise ModelError("policy", tokenizer.name_or_path, remedy)
    return (start,) if forced is None else (start, forced)
