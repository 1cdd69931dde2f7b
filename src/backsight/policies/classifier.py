"""Policies made of encoder-only classifiers: any `AutoModelForSequenceClassification`. An action is a label.

Tensors: N decisions (one a step), U distinct prompts, T tokens, K labels, H hidden numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from backsight.errors import DataError, ModelError, nearest
from backsight.policies.distributions import Categorical, CategoricalHead
from backsight.policies.scoring.layout import micro_batches, pad_rows
from backsight.policies.text import NO_EXTRAS, PLAIN, TextPolicy, exchanges
from backsight.types import Action, ActionValue, Decisions, Example, Observation, Sampling, ScoreRequest

READ_TOKENS = 16_384
"""Most prompt tokens in one forward pass when the policy acts."""


class ClassifierPolicy(TextPolicy):
    """A model that reads a text and chooses one of `labels`.

    A decision is the choice of a label, ``(index,)``, and its text is the label. The temperature is the only sampling
    setting that has an effect. Siblings share the computation of their prompt.
    """

    kind = "classifier"

    def __init__(self, model: Any, tokenizer: Any) -> None:
        """Make a policy whose labels are those of the model's configuration, `id2label`."""
        super().__init__(model, tokenizer)
        names = model.config.id2label
        self.labels: tuple[str, ...] = tuple(str(names[index]) for index in range(model.config.num_labels))
        self.head = CategoricalHead([len(self.labels)])
        self.padding_token: int = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0

    @property
    def max_length(self) -> int | None:
        """Most tokens of a prompt, by the model and by the tokenizer; None when neither says.

        The tokenizer may allow fewer than there are position embeddings: RoBERTa's begin at 2.
        """
        lengths = [super().max_length, self.tokenizer.model_max_length]
        known = [length for length in lengths if length is not None and length < 10**9]
        return min(known, default=None)

    def check_prompt(self, prompt: Observation, max_completion_length: int) -> None:
        length = len(self.prompt_tokens(prompt))
        if self.max_length is not None and length > self.max_length:
            remedy = f"{length} tokens exceed the model's {self.max_length}; shorten the prompt"
            raise DataError("prompt", prompt, remedy)

    def encode(self, text: str) -> ActionValue:
        """Return the action that chooses the label written in the text.

        Raises:
            DataError: when the text is no label.
        """
        known = {label.strip().casefold(): index for index, label in enumerate(self.labels)}
        if text.strip().casefold() not in known:
            raise DataError("label", text.strip(), nearest(text.strip(), self.labels))
        return (known[text.strip().casefold()],)

    def pieces(self, response: ActionValue) -> list[str]:
        return [self.labels[index] for index in response]

    @torch.no_grad()
    def act(
        self, observations: Sequence[Observation], sampling: Sampling, seeds: Sequence[int]
    ) -> list[tuple[int, Action]]:
        for observation in observations:
            self.check_prompt(observation, sampling.max_completion_length)
        prompts = [self.prompt_tokens(observation) for observation in observations]
        distinct = list(dict.fromkeys(prompts))
        parts = micro_batches([(1, len(prompt)) for prompt in distinct], READ_TOKENS)
        known: dict[tuple[int, ...], Tensor] = {}
        with self.profile.phase("prefill", sum(map(len, distinct))):
            for part in parts:
                logits_UK = self._read([distinct[index] for index in part]).logits.float().cpu()
                known |= {distinct[index]: row_K for index, row_K in zip(part, logits_UK, strict=True)}
        if not prompts:
            return []
        distribution = self.head.distribution(torch.stack([known[prompt] for prompt in prompts]), sampling.temperature)
        chosen_N1 = distribution.most_likely() if sampling.temperature == 0 else distribution.draw(seeds)
        log_probs_N = distribution.log_probs(chosen_N1)
        if not math.isfinite(log_probs_N.sum()):
            raise ModelError("model", "its outputs are no longer finite", "lower learning_rate")
        return [
            (index, Action((label,), log_prob_1, self.labels[label]))
            for index, (label, log_prob_1) in enumerate(
                zip(chosen_N1[:, 0].tolist(), log_probs_N.unsqueeze(-1).unbind(), strict=True)
            )
        ]

    def log_probs(
        self, examples: Sequence[Example], sampling: Sampling = PLAIN, request: ScoreRequest = NO_EXTRAS
    ) -> Decisions:
        distribution, num_tokens = self._distribution(examples, sampling)
        labels_N1 = torch.tensor([response for _, response in exchanges(examples)], device=self.model.device)
        support_NK, support_log_probs_NK = request.support_NK, None
        if request.top_k or support_NK is not None:
            log_probs_NK = distribution.all_log_probs()
            if support_NK is None:
                support_NK = log_probs_NK.detach().topk(min(request.top_k, len(self.labels)), -1).indices
            support_NK = support_NK.to(log_probs_NK.device)
            support_log_probs_NK = log_probs_NK.gather(-1, support_NK)
        return Decisions(
            distribution.log_probs(labels_N1),
            num_tokens=num_tokens,
            entropy_N=distribution.entropy() if request.entropy else None,
            uniform_log_probs_N=distribution.uniform_log_probs() if request.uniform else None,
            support_NK=support_NK,
            support_log_probs_NK=support_log_probs_NK,
        )

    def features(self, examples: Sequence[Example]) -> Tensor:
        """Return the last hidden state of each prompt's first token, (N, H), from which most models read the label."""
        distinct, places_N = self._prompts(examples)
        hidden_UH: Tensor = self._read(distinct, output_hidden_states=True).hidden_states[-1][:, 0]
        return hidden_UH[places_N]

    def micro_batches(self, examples: Sequence[Example], budget: int) -> list[list[int]]:
        """Cut the indices of the examples into parts within the budget; those with the same prompts stay together."""
        members = self.siblings(examples)
        prompts = [[self.prompt_tokens(prompt) for prompt in examples[indices[0]].prompts] for indices in members]
        units = [(len(each), max(map(len, each))) for each in prompts]
        return [[index for unit in batch for index in members[unit]] for batch in micro_batches(units, budget)]

    def _distribution(self, examples: Sequence[Example], sampling: Sampling) -> tuple[Categorical, int]:
        """Return the distribution at each decision, and the number of tokens that were read in all."""
        distinct, places_N = self._prompts(examples)
        logits_NK = self._read(distinct).logits.float()[places_N]
        return self.head.distribution(logits_NK, sampling.temperature), sum(map(len, distinct))

    def _prompts(self, examples: Sequence[Example]) -> tuple[list[tuple[int, ...]], Tensor]:
        """Return the distinct prompts, and the index of the prompt of each decision, (N,)."""
        prompts = [self.prompt_tokens(prompt) for prompt, _ in exchanges(examples)]
        places = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompts))}
        return list(places), torch.tensor([places[prompt] for prompt in prompts], device=self.model.device)

    def _read(self, prompts: Sequence[tuple[int, ...]], **outputs: bool) -> Any:
        """Return the model's outputs on prompts padded on the right."""
        tokens_UT, mask_UT = (each.to(self.model.device) for each in pad_rows(prompts, self.padding_token))
        return self.model(input_ids=tokens_UT, attention_mask=mask_UT, **outputs)
