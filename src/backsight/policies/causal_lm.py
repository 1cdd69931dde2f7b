"""Decoder-only language models: any `AutoModelForCausalLM`.

Tensors: B rows, P prompt tokens, C completion tokens, V vocabulary, N decisions (completion tokens, flat).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backsight.errors import DataError, ModelError
from backsight.types import ActionValue, Decisions, Example, Observation


class CausalLMPolicy:
    """A language model that completes a prompt. A decision is a token, end-of-text included."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model.eval()  # without dropout, or the learner would not score what was sampled
        self.tokenizer = tokenizer
        self.end_tokens = _end_tokens(model, tokenizer)
        # a prompt is asked for when it is sampled, measured and scored, once for each sibling
        self._text_tokens = lru_cache(maxsize=16_384)(self._tokenized)
        self.padding_token: int = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self.end_tokens[0]

    @classmethod
    def load(cls, path: str, *, trust_remote_code: bool = False) -> CausalLMPolicy:
        """Load a folder in the Hugging Face layout, or a hub id.

        Raises:
            ModelError: the folder holds no model, no weights in safetensors, or no tokenizer.
        """
        from backsight.policies.loading import load_model, load_tokenizer

        return cls(load_model(path, "causal_lm", trust_remote_code), load_tokenizer(path, trust_remote_code))

    @property
    def module(self) -> nn.Module:
        model: nn.Module = self.model
        return model

    @property
    def max_length(self) -> int | None:
        """Prompt and completion together, in tokens; None when the model does not say."""
        length = getattr(self.model.config, "max_position_embeddings", None)  # recurrent models have none
        return int(length) if length else None

    def prompt_tokens(self, prompt: Observation) -> tuple[int, ...]:
        """The prompt as the model reads it: special tokens as the tokenizer adds them, or its chat template."""
        if isinstance(prompt, str):
            return self._text_tokens(prompt)
        if self.tokenizer.chat_template is None:
            raise ModelError("policy", self.tokenizer.name_or_path, "has no chat template; give prompts as text")
        encoded = self.tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=True)
        return tuple(encoded["input_ids"] if isinstance(encoded, Mapping) else encoded)

    def _tokenized(self, text: str) -> tuple[int, ...]:
        tokens = tuple(self.tokenizer(text)["input_ids"])
        if not tokens:
            raise DataError("prompt", text, "has no tokens, and the tokenizer adds none; start it with some text")
        return tokens

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

    def size(self, example: Example) -> int:
        prompts = sum(len(self.prompt_tokens(prompt)) for prompt in example.prompts)
        return prompts + sum(len(response) for response in example.responses)

    def log_probs(
        self,
        examples: Sequence[Example],
        *,
        temperature: float = 1.0,
        with_entropy: bool = False,
        with_uniform: bool = False,
    ) -> Decisions:
        prompts = [self.prompt_tokens(prompt) for example in examples for prompt in example.prompts]
        responses = [response for example in examples for response in example.responses]
        logits_NV = self._logits(prompts, responses) / temperature
        tokens_N = torch.tensor([token for response in responses for token in response], device=logits_NV.device)
        log_probs_N = -nn.functional.cross_entropy(logits_NV, tokens_N, reduction="none")
        if not with_entropy and not with_uniform:
            return Decisions(log_probs_N)
        log_probs_NV = logits_NV.log_softmax(-1)
        return Decisions(
            log_probs_N,
            entropy_N=-(log_probs_NV.exp() * log_probs_NV).sum(-1) if with_entropy else None,
            uniform_log_probs_N=log_probs_NV.mean(-1) if with_uniform else None,
        )

    def _logits(self, prompts: Sequence[tuple[int, ...]], responses: Sequence[tuple[int, ...]]) -> Tensor:
        """(N, V) in float32. Prompts are padded on the left and responses on the right, so that the logits of the
        responses are the last C + 1 columns of every row and nothing else goes through the output layer."""
        prompt_length = max(map(len, prompts))
        response_length = max(map(len, responses))
        padding = self.padding_token
        tokens_BT = torch.tensor(
            [
                [padding] * (prompt_length - len(prompt))
                + [*prompt, *response]
                + [padding] * (response_length - len(response))
                for prompt, response in zip(prompts, responses, strict=True)
            ],
            device=self.model.device,
        )
        starts_B = torch.tensor([prompt_length - len(prompt) for prompt in prompts], device=self.model.device)
        lengths_B = torch.tensor([len(response) for response in responses], device=self.model.device)
        columns_T = torch.arange(tokens_BT.shape[1], device=self.model.device)
        logits_BCV = self.model(
            input_ids=tokens_BT,
            attention_mask=(columns_T >= starts_B[:, None]).long(),
            position_ids=(columns_T - starts_B[:, None]).clamp(min=0),
            use_cache=False,
            logits_to_keep=response_length + 1,
        ).logits[:, :-1]
        is_decision_BC = torch.arange(response_length, device=self.model.device) < lengths_B[:, None]
        logits_NV: Tensor = logits_BCV[is_decision_BC].float()
        return logits_NV

    def save(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def _end_tokens(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """The tokens that end a completion, the tokenizer's own first."""
    configured = model.generation_config.eos_token_id if model.generation_config is not None else None
    listed = configured if isinstance(configured, list) else [configured]
    tokens = [token for token in dict.fromkeys([tokenizer.eos_token_id, *listed]) if token is not None]
    if not tokens:
        raise ModelError("policy", tokenizer.name_or_path, "has no end-of-text token; set tokenizer.eos_token")
    return tuple(tokens)
