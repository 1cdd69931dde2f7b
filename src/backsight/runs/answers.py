"""Answers of a policy to single prompts, alone or beside those of another policy with the same seeds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import Field

from backsight.errors import ConfigError, DataError
from backsight.runs.start import place_of_policy
from backsight.runs.talk import Answer, AnswerOptions, Talker, open_talker
from backsight.seeds import derive_seed

POLICY, AGAINST = "policy", "against"


class TrialOptions(AnswerOptions):
    """What a trial depends on besides policies and prompts."""

    samples: Annotated[int, Field(ge=1, le=1_000)]
    """Number of answers to each prompt."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The answers of one policy, or of two, to the same prompts."""

    options: TrialOptions
    prompts: Sequence[str]
    paths: Mapping[str, str]
    """Paths by role: ``policy``, and ``against`` if there is another one."""
    answers: Sequence[Mapping[str, Sequence[Answer]]]
    """Answers to each prompt by role, one for each sample. Samples of the same place had the same seed."""
    without_template: Sequence[str]
    """Paths of the policies that have no chat template, and went on with the prompts as plain text."""

    def as_dict(self) -> dict[str, Any]:
        """Return everything in plain values, for JSON."""
        prompts = [
            {"prompt": prompt, "answers": {role: [_plain(each) for each in own] for role, own in answers.items()}}
            for prompt, answers in zip(self.prompts, self.answers, strict=True)
        ]
        return {"paths": dict(self.paths), **self.options.model_dump(), "prompts": prompts}


def _plain(answer: Answer) -> dict[str, Any]:
    return {name: value for name, value in asdict(answer).items() if value is not None}


def try_prompts(path: str, prompts: Sequence[str], options: TrialOptions, against: str | None = None) -> Trial:
    """Let the policy at `path`, and the one to compare with, answer the prompts.

    Raises:
        BacksightError: when a policy does not load, both are the same, or a prompt is empty or too long.
    """
    paths = {POLICY: path} if against is None else {POLICY: path, AGAINST: against}
    if against is not None and len({os.path.realpath(place_of_policy(each)) for each in paths.values()}) == 1:
        raise ConfigError(AGAINST, against, "is the policy itself, whose answers would be the same; name another one")
    if not prompts:
        raise DataError("prompt", None, "write at least one")
    talkers = {role: open_talker(each, options) for role, each in paths.items()}
    checked = {role: [talker.check_prompt(prompt) for prompt in prompts] for role, talker in talkers.items()}
    answers = {role: _answers(talker, checked[role], options) for role, talker in talkers.items()}
    return Trial(
        options,
        prompts,
        paths,
        [{role: own[number] for role, own in answers.items()} for number in range(len(prompts))],
        [paths[role] for role, talker in talkers.items() if not talker.has_chat_template],
    )


def _answers(talker: Talker, prompts: Sequence[Any], options: TrialOptions) -> list[list[Answer]]:
    """Return the answers to each prompt."""
    numbers = range(options.samples)
    seeds = [derive_seed(options.seed, "try", place, number) for place in range(len(prompts)) for number in numbers]
    found = talker.answer([prompt for prompt in prompts for _ in numbers], seeds)
    return [found[first : first + options.samples] for first in range(0, len(found), options.samples)]
