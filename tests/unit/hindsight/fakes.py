"""A scorer that answers what a test tells it, and attempts made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from backsight.hindsight.base import Exchange, per_decision
from backsight.types import Action, ActionValue, Feedback, Group, Observation, Step, Trajectory


def attempt(
    tokens: Sequence[int] = (7, 8),
    feedback: Feedback = Feedback(),  # noqa: B008
    *,
    prompt: Observation = "asked",
    text: str | None = "text",
    log_probs: Sequence[float] | None = None,
    start: Any = "start",
) -> Trajectory:
    """One completion; its log-probabilities are -0.1 each, if no others are given."""
    given = torch.full((len(tokens),), -0.1) if log_probs is None else torch.tensor(log_probs)
    return Trajectory(start, (Step(prompt, Action(tuple(tokens), given, text), terminated=True),), feedback)


def group_of(*trajectories: Trajectory, start: Any = "start") -> Group:
    """Siblings, with the advantages of `FakeScorer`."""
    return FakeScorer().estimate([Group(start, trajectories)])[0]


ROOM = 100
"""For a response, in decisions, behind any prompt."""


@dataclass
class FakeScorer:
    """Each answer can be replaced by a function. Without: a letter is a token, every log-probability is -0.5 (the
    teacher's -0.25), samples say "sampled", nothing new is said of an attempt, and an advantage is the return less
    the group's mean."""

    log_prob: Callable[[Exchange], Tensor] | None = None
    teacher_log_prob: Callable[[Exchange], Tensor] | None = None
    answer: Callable[[Observation], str] | None = None
    verdict: Callable[[Trajectory], Feedback] | None = None

    def encode(self, text: str) -> ActionValue:
        return tuple(map(ord, text))

    def fits(self, prompts: Sequence[Observation], response: ActionValue | None = None) -> bool:
        return response is None or len(response) <= ROOM

    def log_probs(self, exchanges: Sequence[Exchange]) -> list[Tensor]:
        return [self.log_prob(each) if self.log_prob else _constant(each, -0.5) for each in exchanges]

    def teacher_log_probs(self, exchanges: Sequence[Exchange]) -> list[Tensor]:
        score = self.teacher_log_prob
        return [score(each) if score else _constant(each, -0.25) for each in exchanges]

    def sample(self, prompts: Sequence[Observation]) -> list[Action]:
        texts = [self.answer(prompt) if self.answer else "sampled" for prompt in prompts]
        return [Action(self.encode(text), torch.full((len(text),), -0.5), text) for text in texts]

    def judge(self, trajectories: Sequence[Trajectory]) -> list[Trajectory]:
        return [each.revealed(self.verdict(each)) if self.verdict else each for each in trajectories]

    def estimate(self, groups: Sequence[Group]) -> list[Group]:
        return [replace(group, advantages=_centred(group)) for group in groups]


def _constant(exchange: Exchange, value: float) -> Tensor:
    return torch.full((sum(len(each) if isinstance(each, tuple) else 1 for each in exchange[1]),), value)


def _centred(group: Group) -> tuple[Tensor, ...]:
    returns = [sum(each.rewards) for each in group.trajectories]
    mean = sum(returns) / max(1, len(returns))
    pairs = zip(group.trajectories, returns, strict=True)
    return tuple(per_decision([own - mean] * len(each.steps), each) for each, own in pairs)
