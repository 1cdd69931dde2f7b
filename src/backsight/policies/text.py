"""The base classes of policies made of a transformers model and its tokenizer.

Tensors: N decisions, H numbers of a hidden state.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from backsight.disk import open_to_others
from backsight.errors import ConfigError, DataError, ModelError, border
from backsight.policies import adapters, limits
from backsight.policies.chat import MESSAGES, chat_text, chat_tokens
from backsight.policies.memory import move_to_own_memory
from backsight.policies.scoring.layout import sibling_batches
from backsight.policies.scoring.log_probs import States, score
from backsight.policies.thinking import MARKS, begins_thought
from backsight.profiling import Profile
from backsight.types import (
    ActionValue,
    Decisions,
    Example,
    Messages,
    Observation,
    PartialCompletion,
    Sampling,
    ScoreRequest,
    is_chat,
)

ASKED: Messages = [{"role": "user", "content": "0"}]
"""A chat on which templates are tried."""
HALF = "\N{REPLACEMENT CHARACTER}"
"""End of a text whose last character is not whole yet."""
PLAIN = Sampling()
NO_EXTRAS = ScoreRequest()


class TextPolicy(ABC):
    """A policy that reads text or chat messages and answers in text."""

    kind: ClassVar[str]
    lists_actions = True

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model.eval()  # without dropout, or the learner would not score what was sampled
        move_to_own_memory(self.model)
        self.tokenizer = tokenizer
        self.chat_template_kwargs: Mapping[str, Any] = {}
        self.recomputes = False
        self.profile = Profile(model.device)
        # a prompt is asked for when it is sampled, measured and scored, once for each sibling
        self._text_tokens = lru_cache(maxsize=16_384)(self._tokenize)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy the policy, sharing the weights that are not trained: copies with adapters have one base in common."""
        memo.update({id(weight): weight for weight in self.module.parameters() if not weight.requires_grad})
        memo.update({id(weight): weight for _, weight in adapters.own_weights(self.module)})
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return twin

    @property
    def module(self) -> nn.Module:
        model: nn.Module = self.model
        return model

    def reference(self) -> Self:
        """Return the frozen policy that a run is compared with; see `backsight.policies.base.Policy`."""
        twin = copy.deepcopy(self)
        adapters.switch_off(twin.model)
        return twin

    @property
    def max_length(self) -> int | None:
        """Number of tokens that the model can read at once; None when its configuration does not say."""
        return limits.max_length(self.model)

    @abstractmethod
    def check_prompt(self, prompt: Observation, max_completion_length: int) -> None:
        """Check that the prompt leaves room for a completion; what it holds of one counts towards its length.

        Raises:
            DataError: when it leaves no room.
        """

    @abstractmethod
    def encode(self, text: str) -> ActionValue:
        """Encode a response that was not sampled as an action of the policy."""

    @abstractmethod
    def pieces(self, response: ActionValue) -> list[str]:
        """Return the text of each decision of a response; see `backsight.policies.base.Policy`."""

    @abstractmethod
    def log_probs(
        self, examples: Sequence[Example], sampling: Sampling = PLAIN, request: ScoreRequest = NO_EXTRAS
    ) -> Decisions:
        """Compute the log-probability of every decision of the examples; see `backsight.policies.base.Policy`."""

    @abstractmethod
    def features(self, examples: Sequence[Example]) -> Tensor:
        """Compute the hidden state at each decision, (N, H)."""

    @abstractmethod
    def micro_batches(self, examples: Sequence[Example], budget: int) -> list[list[int]]:
        """Cut the indices of the examples into parts that take at most `budget` tokens each when scored."""

    def fits(self, prompt: Observation, max_completion_length: int) -> bool:
        """Return whether the prompt leaves room for a completion.

        Raises:
            DataError: when the chat template makes nothing of the prompt, however short it is.
        """
        try:
            self.check_prompt(prompt, max_completion_length)
        except DataError as error:
            if error.field == MESSAGES:
                raise
            return False
        return True

    def prompt_tokens(self, prompt: Observation) -> tuple[int, ...]:
        """Tokenise a prompt, with the special tokens that the tokenizer adds, or by its chat template.

        Raises:
            DataError: when there is nothing to tokenise, or the template refuses the messages.
        """
        if isinstance(prompt, str):
            return self._text_tokens(prompt)
        if isinstance(prompt, PartialCompletion):
            return self.prompt_tokens(prompt.prompt) + prompt.tokens
        if self.tokenizer.chat_template is None:
            raise ModelError("policy", self.tokenizer.name_or_path, "has no chat template; give prompts as text")
        return self._known(chat_tokens(self.tokenizer, prompt, self.chat_template_kwargs))

    def siblings(self, examples: Sequence[Example]) -> list[list[int]]:
        """Return the indices of the examples, those with the same prompts together."""
        groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
        for index, example in enumerate(examples):
            groups.setdefault(tuple(map(self.prompt_tokens, example.prompts)), []).append(index)
        return list(groups.values())

    def _tokenize(self, text: str) -> tuple[int, ...]:
        tokens = self._known(self._text_ids(text))
        if not tokens:
            raise DataError("prompt", text, "has no tokens, and the tokenizer adds none; start it with some text")
        return tokens

    def _text_ids(self, text: str, **how: Any) -> Any:
        """Return what the tokenizer makes of a text.

        Raises:
            DataError: when it fails.
        """
        name = self.tokenizer.name_or_path
        with border(lambda reason: DataError("text", text, f"the tokenizer of {name} fails ({reason}); change one")):
            return self.tokenizer(text, **how)["input_ids"]

    def _known(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """Return the tokens if the model has them all.

        Raises:
            ModelError: when it does not have one.
        """
        check_known(self.model, self.tokenizer.name_or_path, tokens)
        return tuple(tokens)

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
        open_to_others(folder)


def exchanges(examples: Sequence[Example]) -> Iterator[tuple[Observation, ActionValue]]:
    """Yield the prompt and the response of every step, in the order of the examples."""
    for example in examples:
        yield from zip(example.prompts, example.responses, strict=True)


def checkpointed_layers(model: nn.Module) -> list[nn.Module]:
    """Return the blocks that can be computed again in the backward pass."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    return [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]


def end_tokens(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Return the tokens that end a completion, the tokenizer's own first.

    Raises:
        ModelError: when there are none.
    """
    configured = model.generation_config.eos_token_id if model.generation_config is not None else None
    listed = configured if isinstance(configured, list) else [configured]
    tokens = [token for token in [tokenizer.eos_token_id, *listed] if token is not None]
    if not tokens:
        raise ModelError("policy", tokenizer.name_or_path, "has no end-of-text token; set tokenizer.eos_token")
    check_known(model, tokenizer.name_or_path, tokens)
    return tuple(dict.fromkeys(tokens))


def check_known(model: Any, name: str, tokens: Sequence[int]) -> None:
    """Check that the model has an embedding for each of the tokens.

    Raises:
        ModelError: when it has none, because the tokenizer is for another model.
    """
    count = len(model.get_input_embeddings().weight)
    for token in tokens:
        if not isinstance(token, int) or not 0 <= token < count:
            raise ModelError("policy", name, f"has no token {token!r}, only {count}; take the tokenizer of this model")


class LanguageModelPolicy(TextPolicy):
    """A policy whose model writes a completion token by token, end-of-text included."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__(model, tokenizer)
        self.end_tokens = end_tokens(model, tokenizer)
        self.padding_token: int = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self.end_tokens[0]
        check_known(model, tokenizer.name_or_path, [self.padding_token])

    @abstractmethod
    def states(self, examples: Sequence[Example], sampling: Sampling = PLAIN) -> States:
        """Compute the hidden state at each decision, from which the head makes logits."""

    @abstractmethod
    def _extent(self, examples: Sequence[Example]) -> tuple[int, int]:
        """Return the number of rows, and the tokens of the widest, when the examples are scored together."""

    def encode(self, text: str) -> ActionValue:
        return (*self._known(self._text_ids(text, add_special_tokens=False)), self.end_tokens[0])

    def decode(self, tokens: Sequence[int]) -> str:
        """Decode a completion to text, without special tokens; those between which the model thinks stay."""
        texts = []
        for is_mark, part in groupby(tokens, lambda token: token in self._thought_marks):
            texts.append(self.tokenizer.decode(list(part), skip_special_tokens=not is_mark))
        return "".join(texts)

    def pieces(self, response: ActionValue) -> list[str]:
        """Return the text of each token, special ones by their names.

        A character of several tokens stands with the last of them, and the text of the others is empty.
        """
        pieces, first, written = list[str](), 0, ""
        for place in range(len(response)):
            text = self.tokenizer.decode(list(response[first : place + 1]), skip_special_tokens=False)
            if text.endswith(HALF) and place + 1 < len(response):
                pieces.append("")
                continue
            pieces.append(text.removeprefix(written))
            if len(text) > len(written):  # a token or two stay, because the first of a text may lose its space
                first, written = place, self.tokenizer.decode([response[place]], skip_special_tokens=False)
        return pieces

    def begins_in_thought(self, prompt: Observation) -> bool:
        """Return whether a completion of this prompt goes on with a thought that the chat template has begun."""
        if isinstance(prompt, PartialCompletion):
            return self.begins_in_thought(prompt.prompt)
        return is_chat(prompt) and self._template_begins_thought

    @cached_property
    def _thought_marks(self) -> frozenset[int]:
        """Special tokens between which the model thinks."""
        marks = {mark for pair in MARKS for mark in pair} & set(self.tokenizer.all_special_tokens)
        return frozenset(map(self.tokenizer.convert_tokens_to_ids, marks))

    @cached_property
    def _template_begins_thought(self) -> bool:
        return begins_thought(chat_text(self.tokenizer, ASKED, self.chat_template_kwargs, is_asked=True))

    def micro_batches(self, examples: Sequence[Example], budget: int) -> list[list[int]]:
        """Cut the indices of the examples into parts that take at most `budget` tokens each when scored.

        Examples with the same prompt share its computation, so they stay together as far as the budget allows.
        """
        return sibling_batches(
            self.siblings(examples), lambda indices: self._extent([examples[index] for index in indices]), budget
        )

    def log_probs(
        self, examples: Sequence[Example], sampling: Sampling = PLAIN, request: ScoreRequest = NO_EXTRAS
    ) -> Decisions:
        return score(self.states(examples, sampling), sampling, self.end_tokens, request)

    def responses_of(self, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
        """Return the tokens of the responses, (N,), and the number of tokens of the completion before each, (N,)."""
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
    """Return the tokens of the completion that stand in the prompt."""
    return prompt.tokens if isinstance(prompt, PartialCompletion) else ()


def check_can_score(sampling: Sampling) -> None:
    """Check that the learner can score with these sampling settings.

    Raises:
        ConfigError: when it cannot, because there is a repetition penalty.
    """
    if sampling.repetition_penalty != 1:
        remedy = "attempts sampled with it cannot be learnt from"
        raise ConfigError("repetition_penalty", sampling.repetition_penalty, remedy)
