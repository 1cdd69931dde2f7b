"""What frozen policies say of the examples of a step: the reference, and the teacher who knows more.

Both are asked once, before the first optimizer step. N decisions of a batch, T of an example, K actions compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from backsight.policies.base import Policy
from backsight.profiling import Profile
from backsight.training.config import TrainingConfig
from backsight.training.teacher import Scoring, Teacher
from backsight.types import Decisions, Example, Sampling, Wanted


@dataclass(frozen=True, slots=True)
class Target:
    """The teacher's distribution at each decision."""

    actions_NK: Tensor
    """Its likeliest actions."""
    log_probs_NK: Tensor
    taken_N: Tensor
    """What it gives to the action that was taken."""
    num_taught: int
    """Decisions of the whole batch that have a teacher."""


@dataclass(slots=True)
class Anchors:
    """By the `id` of the example; empty where nobody was asked."""

    reference: dict[int, Tensor] = field(default_factory=dict)
    targets: dict[int, Target] = field(default_factory=dict)

    def reference_of(self, examples: Sequence[Example]) -> Tensor | None:
        """(N,) None: there is no reference."""
        return torch.cat([self.reference[id(each)] for each in examples]) if self.reference else None

    def target_of(self, examples: Sequence[Example]) -> Target | None:
        """None: none of these has a teacher. One that has none, among others, gets actions that weigh nothing."""
        known = [self.targets[id(each)] for each in examples if id(each) in self.targets]
        if not known:
            return None
        width = known[0].actions_NK.shape[-1]
        parts = [self.targets.get(id(each)) or _nothing(each.num_decisions, width) for each in examples]
        return Target(
            torch.cat([each.actions_NK for each in parts]),
            torch.cat([each.log_probs_NK for each in parts]),
            torch.cat([each.taken_N for each in parts]),
            known[0].num_taught,
        )


def _nothing(count: int, width: int) -> Target:
    return Target(
        torch.arange(width).expand(count, width), torch.zeros(count, width).log_softmax(-1), torch.zeros(count), 1
    )


@torch.no_grad()
def ask(
    policy: Scoring,
    examples: Sequence[Example],
    sampling: Sampling,
    budget: int,
    profile: Profile,
    wanted: Wanted,
) -> Iterator[tuple[int, Decisions]]:
    """Index of each example, and what the policy says of its decisions, on the CPU."""
    for cut in policy.micro_batches(examples, budget):
        batch = [examples[index] for index in cut]
        with profile.phase("forward"):
            decisions = policy.log_probs(batch, sampling, wanted)
        profile.tokens["forward"] += decisions.num_tokens
        lengths = [each.num_decisions for each in batch]
        columns = [
            [None] * len(batch) if values is None else torch.split(values.cpu(), lengths)
            for values in (decisions.log_probs_N, decisions.support_NK, decisions.support_log_probs_NK)
        ]
        for index, log_probs, support, support_log_probs in zip(cut, *columns, strict=True):
            yield index, Decisions(log_probs, 0, support_NK=support, support_log_probs_NK=support_log_probs)


def reference_scores(
    reference: Policy | None, examples: Sequence[Example], config: TrainingConfig, budget: int, profile: Profile
) -> dict[int, Tensor]:
    if reference is None:
        return {}
    answers = ask(reference, examples, config.sampling, budget, profile, Wanted())
    return {id(examples[index]): decisions.log_probs_N for index, decisions in answers}


def teacher_targets(
    teacher: Teacher | None, examples: Sequence[Example], config: TrainingConfig, budget: int, profile: Profile
) -> Mapping[int, Target]:
    """What the teacher, which sees its own prompts, would have done instead."""
    taught = [each for each in examples if each.teacher_weights is not None and each.teacher_prompts is not None]
    if teacher is None or not taught:
        return {}
    told = [replace(each, prompts=each.teacher_prompts) for each in taught if each.teacher_prompts is not None]
    num_taught = sum(int((each.teacher_weights > 0).sum()) for each in taught if each.teacher_weights is not None)
    targets = {}
    answers = ask(teacher.scoring, told, config.sampling, budget, profile, Wanted(top_k=config.teacher.top_k))
    for index, decisions in answers:
        assert decisions.support_NK is not None and decisions.support_log_probs_NK is not None
        targets[id(taught[index])] = Target(
            decisions.support_NK, decisions.support_log_probs_NK, decisions.log_probs_N, max(1, num_taught)
        )
    return targets
