"""The objective: the loss of a micro-batch, as its part of the loss of the whole batch.

    L = L_pg + L_imitation + L_distillation + β·L_kl - c·entropy

Each part is averaged over its own decisions of the whole batch, counted before anything is cut into micro-batches:
the same examples give the same gradient whatever the cuts. Tensors: N decisions of a micro-batch, T of an example.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backsight.losses.policy_gradient import (
    POLICY_LOSSES,
    REDUCTIONS,
    LossBounds,
    LossInputs,
    plain_policy_gradient,
    shaped_policy_gradient,
    token_mean,
)
from backsight.losses.targets import distillation, imitation, reference_kl
from backsight.policies.base import Policy
from backsight.training.algorithms import ALGORITHMS
from backsight.training.config import TrainingConfig
from backsight.training.frozen_scores import FrozenScores, Target, join_references, join_targets
from backsight.types import Decisions, Example, ScoreRequest

ScoredExample = tuple[Example, FrozenScores]
"""An example, and the scores that frozen policies give to it."""


@dataclass(frozen=True, slots=True)
class WeightedExample:
    """An example, and the weights of its decisions in each part of the loss, (T,); zero in parts it has no share in."""

    example: Example
    scores: FrozenScores
    gradient_T: Tensor
    imitation_T: Tensor
    teacher_T: Tensor
    entropy_T: Tensor


def weigh_examples(scored: Sequence[ScoredExample], config: TrainingConfig) -> list[WeightedExample]:
    """Compute the weight of each decision in each part of the loss, before anything is skipped or cut."""
    reduction = REDUCTIONS[ALGORITHMS[config.algorithm].reduction]
    examples = [example for example, _ in scored]

    def reduce(lengths: Sequence[int]) -> Tensor:
        return reduction(lengths, config.max_completion_length)

    gradient = _spread(examples, [each.advantages is not None for each in examples], reduce)
    imitated = _spread(examples, [each.imitation_weights is not None for each in examples], token_mean)
    taught = _spread(examples, [each.teacher_weights is not None for each in examples], token_mean)
    entropy = _spread(examples, [True] * len(examples), token_mean)
    return [
        WeightedExample(
            example,
            scores,
            gradient_T * example.weight,
            imitation_T * example.weight,
            teacher_T * example.weight,
            entropy_T,
        )
        for (example, scores), gradient_T, imitation_T, teacher_T, entropy_T in zip(
            scored, gradient, imitated, taught, entropy, strict=True
        )
    ]


def _spread(
    examples: Sequence[Example], takes_part: Sequence[bool], reduction: Callable[[Sequence[int]], Tensor]
) -> list[Tensor]:
    """Return the weights of each example, (T,), reduced over those that take part and zero for the others."""
    lengths = [example.num_decisions for example, takes in zip(examples, takes_part, strict=True) if takes]
    weights = iter(torch.split(reduction(lengths), lengths))
    return [
        next(weights) if takes else torch.zeros(example.num_decisions)
        for example, takes in zip(examples, takes_part, strict=True)
    ]


def has_signal(example: Example, config: TrainingConfig) -> bool:
    """Return whether the example can change the policy. Those that cannot are skipped, after they were counted."""
    if example.imitation_weights is not None or config.entropy_coef > 0:
        return True
    if example.teacher_weights is not None and bool(example.teacher_weights.any()):
        return True
    return example.advantages is not None and (config.beta > 0 or bool(example.advantages.any()))


def micro_batch_loss(
    policy: Policy, batch: Sequence[WeightedExample], config: TrainingConfig
) -> tuple[Tensor, dict[str, Tensor], int]:
    """Compute the micro-batch's part of the whole batch's loss and metrics, and the number of tokens it took."""
    examples = [each.example for each in batch]
    reference_N = join_references([each.scores for each in batch])
    target = join_targets([each.scores for each in batch], [each.num_decisions for each in examples])
    decisions = policy.log_probs(
        examples,
        config.sampling,
        ScoreRequest(
            entropy=config.entropy_coef > 0,
            uniform=config.label_smoothing_factor > 0,
            support_NK=None if target is None else target.actions_NK,
        ),
    )
    device = decisions.log_probs_N.device
    gradient_N, imitation_N, entropy_N = (
        torch.cat(parts).to(device)
        for parts in (
            [each.gradient_T for each in batch],
            [each.imitation_T * _or_zeros(each.example.imitation_weights, each.example) for each in batch],
            [each.entropy_T for each in batch],
        )
    )
    gradient_loss_N, held_back_N = _policy_gradient(decisions, examples, config)
    parts = {"loss/policy_gradient": (gradient_loss_N * gradient_N).sum()}
    imitation_loss_N = imitation(decisions.log_probs_N, decisions.uniform_log_probs_N, config.label_smoothing_factor)
    parts["loss/imitation"] = (imitation_loss_N * imitation_N).sum()
    loss = parts["loss/policy_gradient"] + parts["loss/imitation"]
    if target is not None:
        taught_N = torch.cat([each.teacher_T * _or_zeros(each.example.teacher_weights, each.example) for each in batch])
        parts |= _distillation(decisions, examples, target, taught_N.to(device), config)
        loss = loss + parts["loss/distillation"]
    if reference_N is not None:
        parts["kl"] = (reference_kl(decisions.log_probs_N, reference_N.to(device)) * gradient_N).sum()
        loss = loss + config.beta * parts["kl"]
    if decisions.entropy_N is not None:
        parts["entropy"] = (decisions.entropy_N * entropy_N).sum()
        loss = loss - config.entropy_coef * parts["entropy"]
    parts["clip_ratio/region_mean"] = (held_back_N * gradient_N).sum()
    return loss, {key: value.detach() for key, value in parts.items()}, decisions.num_tokens


def _distillation(
    decisions: Decisions, examples: Sequence[Example], target: Target, taught_N: Tensor, config: TrainingConfig
) -> dict[str, Tensor]:
    """Compute the divergence from the teacher, and the teacher's mean gain in log-probability of what was done."""
    assert decisions.support_log_probs_NK is not None
    device = taught_N.device
    loss_N = distillation(decisions.support_log_probs_NK, target.log_probs_NK.to(device), config.teacher.alpha)
    if config.teacher.clip is not None:
        loss_N = loss_N.clamp(max=config.teacher.clip)
    log_probs_N = decisions.log_probs_N.detach()
    _, behaviour_N = _behaviour(log_probs_N, examples)
    weight_N = (log_probs_N - behaviour_N).exp().clamp(max=config.importance_cap)
    gain_N = target.taken_N.to(device) - log_probs_N
    return {
        "loss/distillation": (loss_N * weight_N * taught_N).sum(),
        "teacher/log_prob_gain": (gain_N * (taught_N > 0)).sum() / target.num_taught,
    }


def _policy_gradient(
    decisions: Decisions, examples: Sequence[Example], config: TrainingConfig
) -> tuple[Tensor, Tensor]:
    """Return the losses and which of them were held back, (N,) both.

    A row that is not on-policy has no ratio and gets the plain or the shaped loss.
    """
    log_probs_N = decisions.log_probs_N
    advantages_N = torch.cat([_or_zeros(each.advantages, each) for each in examples]).to(log_probs_N.device)
    has_ratio_N, behaviour_N = _behaviour(log_probs_N, examples)
    loss_type, epsilon, epsilon_high = config.loss
    bounds = LossBounds(
        epsilon,
        epsilon_high,
        config.delta,
        config.importance_cap,
        config.sapo_temperature_pos,
        config.sapo_temperature_neg,
    )
    lengths = [each.num_decisions for each in examples]
    inputs = LossInputs(log_probs_N, behaviour_N, advantages_N, lengths)
    loss_N, held_back_N = POLICY_LOSSES[loss_type](inputs, bounds)
    without_ratio_N = _without_ratio(log_probs_N, advantages_N, examples)
    return torch.where(has_ratio_N, loss_N, without_ratio_N), (held_back_N & has_ratio_N).float()


def _behaviour(log_probs_N: Tensor, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """Return which decisions have a ratio, and the log-probabilities to compare with, (N,) both.

    Decisions without a ratio are compared with themselves, so that the unused ratio stays finite.
    """
    device = log_probs_N.device
    has_ratio_N = torch.cat(
        [torch.full((each.num_decisions,), each.behaviour_log_probs is not None) for each in examples]
    ).to(device)
    behaviour_N = torch.cat([_or_zeros(each.behaviour_log_probs, each) for each in examples]).to(device)
    return has_ratio_N, torch.where(has_ratio_N, behaviour_N, log_probs_N.detach())


def _without_ratio(log_probs_N: Tensor, advantages_N: Tensor, examples: Sequence[Example]) -> Tensor:
    """Return the loss of decisions without a ratio, (N,): the plain one, or the shaped one where an example has γ."""
    plain_N = plain_policy_gradient(log_probs_N, advantages_N)
    if all(each.shaping is None for each in examples):
        return plain_N
    gamma_N = torch.cat([torch.full((each.num_decisions,), each.shaping or 0.0) for each in examples])
    gamma_N = gamma_N.to(log_probs_N.device)
    return torch.where(gamma_N > 0, shaped_policy_gradient(log_probs_N, advantages_N, gamma_N), plain_N)


def _or_zeros(values_T: Tensor | None, example: Example) -> Tensor:
    return torch.zeros(example.num_decisions) if values_T is None else values_T
