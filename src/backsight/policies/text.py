"""What policies made of a transformers model and its tokenizer share: decoder-only, encoder-decoder, classifiers."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Self

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from backsight.errors import DataError, ModelError
from backsight.policies import adapters
from backsight.types import ActionValue, Begun, Decisions, Example, Observation, Sampling, Wanted

PLAIN = Sampling()
NOTHING_ELSE = Wanted()


class TextPolicy(ABC):
    """Reads text or chat messages, and answers in text."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model.eval()  # without dropout, or the learner would not score what was sampled
        self.tokenizer = tokenizer
        self.recomputes = False
        # a prompt is asked for when it is sampled, measured and scored, once for each sibling
        self._text_tokens = lru_cache(maxsize=16_384)(self._tokenized)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A copy shares the weights that are not trained: beneath an adapter there is one base, however many copies."""
        memo.update({id(weight): weight for weight in self.module.parameters() if not weight.requires_grad})
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return twin

    @property
    def module(self) -> nn.Module:
        model: nn.Module = self.model
        return model

    def reference(self) -> Self:
        """See `backsight.policies.base.Policy`."""
        twin = copy.deepcopy(self)
        adapters.switch_off(twin.model)
        return twin

    @property
    def max_length(self) -> int | None:
        """Tokens that it can read at once; None when the model does not say."""
        length = getattr(self.model.config, "max_position_embeddings", None)  # recurrent models have none
        return int(length) if length else None

    @abstractmethod
    def check_prompt(self, prompt: Observation, max_completion_length: int) -> None:
        """Raise a `DataError` when the prompt leaves no room for a completion."""

    @abstractmethod
    def encode(self, text: str) -> ActionValue:
        """A response nobody sampled, as the policy would have had to act it."""

    @abstractmethod
    def log_probs(
        self, examples: Sequence[Example], sampling: Sampling = PLAIN, wanted: Wanted = NOTHING_ELSE
    ) -> Decisions:
        """See `backsight.policies.base.Policy`."""

    @abstractmethod
    def features(self, examples: Sequence[Example]) -> Tensor:
        """See `backsight.policies.base.Policy`."""

    @abstractmethod
    def micro_batches(self, examples: Sequence[Example], budget: int) -> list[list[int]]:
        """See `backsight.policies.base.Policy`."""

    def fits(self, prompt: Observation, max_completion_length: int) -> bool:
        """Whether the prompt leaves room for a completion."""
        try:
            self.check_prompt(prompt, max_completion_length)
        except DataError:
            return False
        return True

    def prompt_tokens(self, prompt: Observation) -> tuple[int, ...]:
        """The prompt as the model reads it: special tokens as the tokenizer adds them, or its chat template."""
        if isinstance(prompt, str):
            return self._text_tokens(prompt)
        if isinstance(prompt, Begun):
            return self.prompt_tokens(prompt.prompt) + prompt.tokens
        if self.tokenizer.chat_template is None:
            raise ModelError("policy", self.tokenizer.name_or_path, "has no chat template; give prompts as text")
        encoded = self.tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=True)
        return tuple(encoded["input_ids"] if isinstance(encoded, Mapping) else encoded)

    def siblings(self, examples: Sequence[Example]) -> list[list[int]]:
        """Indices of the examples, those with the same prompts together."""
        groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
        for index, example in enumerate(examples):
            groups.setdefault(tuple(map(self.prompt_tokens, example.prompts)), []).append(index)
        return list(groups.values())

    def _tokenized(self, text: str) -> tuple[int, ...]:
        tokens = tuple(self.tokenizer(text)["input_ids"])
        if not tokens:
            raise DataError("prompt", text, "has no tokens, and the tokenizer adds none; start it with some text")
        return tokens

    def recompute_layers(self) -> bool:
        layers = [] if self.recomputes else checkpointed_layers(self.model)
        for layer in layers:
            # transformers' own switch needs training mode, which would also switch dropout on
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
        self.recomputes = self.recomputes or bool(layers)
        return bool(layers)

    def save(self, folder: Path) -> None:
        from transformers.utils import logging

        logging.disable_progress_bar()  # the terminal belongs to the run
        if adapters.has_adapter(self.model):
            adapters.save(self.model, folder)
        else:
            self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def exchanges(examples: Sequence[Example]) -> Iterator[tuple[Observation, ActionValue]]:
    """Prompt and response of every step, in the order of the examples."""
    for example in examples:
        yield from zip(example.prompts, example.responses, strict=True)


def checkpointed_layers(model: nn.Module) -> list[nn.Module]:
    """The blocks that can be computed again in the backward pass."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    return [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]


def end_tokens(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """The tokens that end a completion, the tokenizer's own first.

    Raises:
        ModelError: there are none.
    """
    configured = model.generation_config.eos_token_id if model.generation_config is not None else None
    listed = configured if isinstance(configured, list) else [configured]
    tokens = [token for token in dict.fromkeys([tokenizer.eos_token_id, *listed]) if token is not None]
    if not tokens:
        raise ModelError("policy", tokenizer.name_or_path, "has no end-of-text token; set tokenizer.eos_token")
    return tuple(tokens)
