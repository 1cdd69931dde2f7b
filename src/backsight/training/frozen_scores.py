"""The scores that frozen policies give to the examples of a step: the reference, and the teacher, which knows more.

Both are asked once, before the first optimizer step. Tensors: N decisions of a batch, T of an example, K actions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from backsight.policies.base import Policy
from backsight.profiling import Profile
from backsight.training.config import TrainingConfig
from backsight.types import Decisions, Example, Sampling, ScoreRequest


class Scoring(Protocol):
    """The part of a policy that scores examples: all that a teacher needs besides acting."""

    def micro_batches(self, examples: Sequence[Example], budget: int) -> list[list[int]]: ...

    def log_probs(
        self, examples: Sequence[Example], sampling: Sampling = ..., request: ScoreRequest = ...
    ) -> Decisions: ...


@dataclass(frozen=True, slots=True)
class Target:
    """The teacher's distribution at each decision."""

    actions_NK: Tensor
    """Actions that the teacher finds most likely."""
    log_probs_NK: Tensor
    """Log-probabilities that the teacher gives to them."""
    taken_N: Tensor
    """Log-probability that the teacher gives to the action that was taken."""
    num_taught: int
    """Number of decisions of the whole batch that have a teacher."""


@dataclass(frozen=True, slots=True)
class FrozenScores:
    """The scores that frozen policies give to one example."""

    reference_T: Tensor | None = None
    """Log-probabilities under the reference; None when there is none."""
    target: Target | None = None
    """The teacher's distribution; None when the example has no teacher."""


ELSEWHERE = FrozenScores()
"""In place of the scores of an example that another rank learns: nobody here asks for them."""


def join_references(scores: Sequence[FrozenScores]) -> Tensor | None:
    """Join the reference's log-probabilities end to end, (N,); None when there is no reference."""
    known = [each.reference_T for each in scores if each.reference_T is not None]
    return torch.cat(known) if known else None


def join_targets(scores: Sequence[FrozenScores], lengths: Sequence[int]) -> Target | None:
    """Join the targets of examples end to end; None when no example has a teacher.

    An example without a teacher, among others, gets actions that weigh nothing.
    """
    known = [each.target for each in scores if each.target is not None]
    if not known:
        return None
    width = known[0].actions_NK.shape[-1]
    parts = [each.target or _empty_target(length, width) for each, length in zip(scores, lengths, strict=True)]
    return Target(
        torch.cat([each.actions_NK for each in parts]),
        torch.cat([each.log_probs_NK for each in parts]),
        torch.cat([each.taken_N for each in parts]),
        known[0].num_taught,
    )


def _empty_target(count: int, width: int) -> Target:
    return Target(
        torch.arange(width).expand(count, width), torch.zeros(count, width).log_softmax(-1), torch.zeros(count), 1
    )


@torch.no_grad()
def score_in_batches(
    policy: Scoring,
    examples: Sequence[Example],
    sampling: Sampling,
    budget: int,
    profile: Profile,
    request: ScoreRequest,
) -> Iterator[tuple[int, Decisions]]:
    """Yield the index of each example and the policy's scores of its decisions, on the CPU."""
    for cut in policy.micro_batches(examples, budget):
        batch = [examples[index] for index in cut]
        with profile.phase("forward"):
            decisions = policy.log_probs(batch, sampling, request)
        profile.tokens["forward"] += decisions.num_tokens
        lengths = [each.num_decisions for each in batch]
        columns = [
            [None] * len(batch) if values is None else torch.split(values.cpu(), lengths)
            for values in (
                decisions.log_probs_N,
                decisions.entropy_N,
                decisions.support_NK,
                decisions.support_log_probs_NK,
            )
        ]
        for index, log_probs_T, entropy_T, support_TK, support_log_probs_TK in zip(cut, *columns, strict=True):
            yield index, Decisions(log_probs_T, 0, entropy_T, None, support_TK, support_log_probs_TK)


def ask_frozen_policies(
    reference: Policy | None,
    teacher: Scoring | None,
    examples: Sequence[Example],
    config: TrainingConfig,
    budget: int,
    profile: Profile,
    num_taught: int | None = None,
) -> list[FrozenScores]:
    """Score every example by the reference and, where it has a teacher, by the teacher; each in the order given.

    `num_taught` is the number of decisions with a teacher in the whole batch, if the examples are a part of it.
    """
    references = _reference_scores(reference, examples, config, budget, profile)
    num_taught = count_taught(examples) if num_taught is None else num_taught
    targets = _teacher_targets(teacher, examples, config, budget, profile, num_taught)
    return [FrozenScores(references.get(index), targets.get(index)) for index in range(len(examples))]


def count_taught(examples: Sequence[Example]) -> int:
    """Return the number of decisions that have a teacher."""
    weights = [each.teacher_weights for each in examples if each.teacher_prompts is not None]
    return sum(int((each > 0).sum()) for each in weights if each is not None)


def _reference_scores(
    reference: Policy | None, examples: Sequence[Example], config: TrainingConfig, budget: int, profile: Profile
) -> Mapping[int, Tensor]:
    if reference is None:
        return {}
    answers = score_in_batches(reference, examples, config.sampling, budget, profile, ScoreRequest())
    return {index: decisions.log_probs_N for index, decisions in answers}


def _teacher_targets(
    teacher: Scoring | None,
    examples: Sequence[Example],
    config: TrainingConfig,
    budget: int,
    profile: Profile,
    num_taught: int,
) -> Mapping[int, Target]:
    """Return the teacher's distribution on its own prompts, by the index of each example that has a teacher."""
    told = {
        index: each.exchanged
        for index, each in enumerate(examples)
        if each.teacher_weights is not None and each.teacher_prompts is not None
    }
    if teacher is None or not told:
        return {}
    places, request = list(told), ScoreRequest(top_k=config.teacher.top_k)
    targets = {}
    whole = config.sampling.whole
    for place, decisions in score_in_batches(teacher, list(told.values()), whole, budget, profile, request):
        assert decisions.support_NK is not None and decisions.support_log_probs_NK is not None
        targets[places[place]] = Target(
            decisions.support_NK, decisions.support_log_probs_NK, decisions.log_probs_N, max(1, num_taught)
        )
    return targets
