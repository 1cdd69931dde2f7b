"""The teacher: a copy of the policy that is told what was revealed."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Protocol

import torch

from backsight.errors import ConfigError
from backsight.policies.base import Policy, trained
from backsight.policies.blended import BlendedPolicy
from backsight.policies.language_model import LanguageModelPolicy
from backsight.training.config import TeacherConfig
from backsight.types import Decisions, Example, Sampling, Wanted


class Scoring(Protocol):
    """What a teacher has to do: less than a whole policy."""

    def micro_batches(self, examples: Sequence[Example], budget: int) -> list[list[int]]: ...

    def log_probs(self, examples: Sequence[Example], sampling: Sampling = ..., wanted: Wanted = ...) -> Decisions: ...


class Teacher:
    """Weights of its own, unless it is live. `follow` is called after every step."""

    def __init__(self, policy: Policy, config: TeacherConfig) -> None:
        """Raises `ConfigError` for a trust region around a policy that has no logits to move."""
        self.config = config
        self.copy = policy if config.update == "live" else copy.deepcopy(policy)
        """What acts in trials, and what a checkpoint keeps."""
        self.scoring: Scoring = self.copy
        if config.update == "trust_region":
            if not isinstance(policy, LanguageModelPolicy) or not isinstance(self.copy, LanguageModelPolicy):
                raise ConfigError("teacher.update", config.update, "is for language models; use ema or frozen")
            self.scoring = BlendedPolicy(self.copy, policy, config.rate)

    @torch.no_grad()
    def follow(self, policy: Policy) -> None:
        if self.config.update == "ema":
            for own, new in zip(*(trained(each.module).values() for each in (self.copy, policy)), strict=True):
                own.lerp_(new.to(own.dtype), self.config.rate)
