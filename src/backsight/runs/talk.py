"""A policy that people talk to: opened with all that its answers depend on, it answers prompts in text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field

from backsight.config import config_of_run
from backsight.errors import DataError, shown
from backsight.policies.chat import MESSAGES
from backsight.policies.classifier import ClassifierPolicy
from backsight.policies.text import TextPolicy
from backsight.rollouts.base import stream
from backsight.rollouts.engines import engine_for
from backsight.runs.start import load_policy
from backsight.settings import Settings
from backsight.types import Action, Example, Messages, Observation, Sampling, ScoreRequest

LONGEST_ANSWER = 256
"""Most tokens of an answer if nobody says otherwise; fewer where half as many would not fit beside it."""
_CAP, _OPTION = "max_completion_length", "--max-tokens"


class AnswerOptions(Settings):
    """What answers depend on besides policy and prompt."""

    system: str | None
    """Text before every prompt: the system message of a model with a chat template, else a line."""
    temperature: Annotated[float, Field(ge=0, le=1e4)]
    """Number that divides the logits before the softmax; 0 takes the most likely token. A classifier takes the most
    likely label whatever it is."""
    max_tokens: Annotated[int, Field(ge=1, le=2**20)] | None
    """Most tokens of an answer; None takes `LONGEST_ANSWER`, or fewer where the context is small."""
    seed: Annotated[int, Field(ge=0)]
    """Seed of all answers."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a prompt."""

    text: str
    is_truncated: bool
    """Whether the limit of the length ended it, and not the policy."""
    probabilities: Mapping[str, float] | None = None
    """Probabilities of the labels of a classifier, the most likely first; None where there are no labels."""

    def __str__(self) -> str:
        """Return the answer for people: without spaces around it, and with what is known besides."""
        cut = " …" if self.is_truncated else ""
        return self.text.strip() + cut + ("" if self.probabilities is None else probabilities_text(self.probabilities))


def probabilities_text(probabilities: Mapping[str, float]) -> str:
    """Return `` (positive 0.93, negative 0.07)``, to be written behind a label."""
    return f" ({', '.join(f'{label} {each:.2f}' for label, each in probabilities.items())})"


def open_talker(path: str, options: AnswerOptions) -> Talker:
    """Open the policy at `path`, as `load_policy` knows it, to talk to it as its run did, if it comes from one.

    Raises:
        BacksightError: when there is no such policy, or it does not load.
    """
    policy, config = load_policy(path, labels=None), config_of_run(path)
    if config is not None:
        policy.chat_template_kwargs = config.chat_template_kwargs
        options = options.model_copy(update={"system": options.system or config.system_prompt})
    return Talker(policy, options)


class Talker:
    """A policy that answers prompts, each a text with what was said before it."""

    def __init__(self, policy: TextPolicy, options: AnswerOptions) -> None:
        self.policy, self.options, self.engine = policy, options, engine_for(policy)
        self.sampling = Sampling(
            temperature=0.0 if isinstance(policy, ClassifierPolicy) else options.temperature,
            max_completion_length=options.max_tokens or self._longest_answer(),
        )

    @property
    def has_chat_template(self) -> bool:
        """Whether prompts are chat messages. Without a template each is plain text, and nothing stands before it."""
        return self.policy.tokenizer.chat_template is not None

    def make_prompt(self, text: str, before: Messages | None = None) -> Observation:
        """Return what the policy reads: the text behind the system text and the messages before it, if it can chat."""
        system = self.options.system
        if not self.has_chat_template:
            return text if system is None else f"{system}\n{text}"
        opening = [] if system is None else [{"role": "system", "content": system}]
        return [*opening, *(before or []), {"role": "user", "content": text}]

    def check_prompt(self, text: str, before: Messages | None = None) -> Observation:
        """Return the prompt, as `make_prompt`, if there is something in it and it leaves room for an answer.

        Raises:
            DataError: when the text is empty, the prompt is too long, or the chat template refuses it.
        """
        if not text.strip():
            raise DataError("prompt", shown(text), "is empty; write something")
        prompt = self.make_prompt(text, before)
        try:
            self.policy.check_prompt(prompt, self.sampling.max_completion_length)
        except DataError as error:
            if error.field == MESSAGES:
                raise
            value = text if error.field == "prompt" else error.value
            raise DataError(error.field.replace(_CAP, _OPTION), value, error.remedy.replace(_CAP, _OPTION)) from error
        return prompt

    def fits(self, text: str, before: Messages) -> bool:
        """Return whether the text leaves room for an answer behind the messages before it.

        Raises:
            DataError: when the chat template refuses them.
        """
        return self.policy.fits(self.make_prompt(text, before), self.sampling.max_completion_length)

    def stream(self, prompt: Observation, seed: int) -> Iterator[Action]:
        """Yield the answer while it grows, as `backsight.rollouts.base.stream` does."""
        return stream(self.engine, prompt, self.sampling, seed)

    def answer(self, prompts: Sequence[Observation], seeds: Sequence[int]) -> list[Answer]:
        """Return the answer to each prompt with its seed."""
        actions = dict(self.engine.act(prompts, self.sampling, seeds))
        return [
            Answer(actions[index].text or "", actions[index].is_truncated, self.label_probabilities(prompt))
            for index, prompt in enumerate(prompts)
        ]

    @torch.no_grad()
    def label_probabilities(self, prompt: Observation) -> dict[str, float] | None:
        """Return the probability of each label of a classifier, the most likely first; None for other policies."""
        if not isinstance(self.policy, ClassifierPolicy):
            return None
        labels = self.policy.labels
        request = ScoreRequest(top_k=len(labels))
        scored = self.policy.log_probs([Example((prompt,), ((0,),), "talk")], request=request)
        assert scored.support_NK is not None and scored.support_log_probs_NK is not None
        probabilities = scored.support_log_probs_NK[0].exp().tolist()
        return {labels[index]: each for index, each in zip(scored.support_NK[0].tolist(), probabilities, strict=True)}

    def _longest_answer(self) -> int:
        length = LONGEST_ANSWER
        while length > 1 and not self.policy.fits(self.make_prompt("a"), length + length // 2):
            length //= 2
        return length
