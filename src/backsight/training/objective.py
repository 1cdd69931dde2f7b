"""What is minimised: the loss of a micro-batch, as its part of the loss of the whole batch.

    L = L_pg + L_imitation + L_distillation + β·L_kl - c·entropy

Each part is averaged over its own decisions of the whole batch, counted before anything is cut into micro-batches:
the same examples give the same gradient whatever the cuts. N decisions of a micro-batch, T of an example.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from backsight.losses.distillation import divergence
from backsight.losses.divergence import reference_kl
from backsight.losses.imitation import imitation
from backsight.losses.policy_gradient import (
    clipped,
    dual_clipped,
    mean_of_each,
    plain,
    shaped,
    soft_gated,
    weighted,
)
from backsight.losses.reduction import token_mean
from backsight.policies.base import Policy
from backsight.training.algorithms import ALGORITHMS
from backsight.training.anchors import Anchors, Target
from backsight.training.config import TrainingConfig
from backsight.types import Decisions, Example, Wanted


@dataclass(frozen=True, slots=True)
class Share:
    """An example, and what each of its decisions weighs in the parts of the loss: (T,) each, zero where it has none."""

    example: Example
    gradient_T: Tensor
    imitation_T: Tensor
    teacher_T: Tensor
    entropy_T: Tensor


def shares_of(examples: Sequence[Example], config: TrainingConfig) -> list[Share]:
    """Settle what each decision weighs, before anything is skipped or cut."""
    reduction = ALGORITHMS[config.algorithm].reduction
    gradient = _spread(
        examples,
        [each.advantages is not None for each in examples],
        partial(reduction, config.max_completion_length),
    )
    imitated = _spread(examples, [each.imitation_weights is not None for each in examples], token_mean)
    taught = _spread(examples, [each.teacher_weights is not None for each in examples], token_mean)
    entropy = _spread(examples, [True] * len(examples), token_mean)
    return [
        Share(example, gradient_T * example.weight, imitation_T * example.weight, teacher_T * example.weight, entropy_T)
        for example, gradient_T, imitation_T, teacher_T, entropy_T in zip(
            examples, gradient, imitated, taught, entropy, strict=True
        )
    ]


def _spread(
    examples: Sequence[Example], takes_part: Sequence[bool], reduction: Callable[[Sequence[int]], Tensor]
) -> list[Tensor]:
    """Weights (T,) for each example, reduced over those that take part and zero for the others."""
    lengths = [example.num_decisions for example, takes in zip(examples, takes_part, strict=True) if takes]
    weights = iter(torch.split(reduction(lengths), lengths))
    return [
        next(weights) if takes else torch.zeros(example.num_decisions)
        for example, takes in zip(examples, takes_part, strict=True)
    ]


def has_signal(example: Example, config: TrainingConfig) -> bool:
    """Whether the example can move the policy. Those that cannot are skipped, after they were counted."""
    if example.imitation_weights is not None or config.entropy_coef > 0:
        return True
    if example.teacher_weights is not None and bool(example.teacher_weights.any()):
        return True
    return example.advantages is not None and (config.beta > 0 or bool(example.advantages.any()))


def loss_of(
    policy: Policy, shares: Sequence[Share], anchors: Anchors, config: TrainingConfig
) -> tuple[Tensor, dict[str, Tensor], int]:
    """The micro-batch's part of the loss of the whole batch, and of its metrics, and the tokens it took.

    `anchors` is what reference and teacher said of the examples, where they were asked.
    """
    examples = [share.example for share in shares]
    reference_N, target = anchors.reference_of(examples), anchors.target_of(examples)
    decisions = policy.log_probs(
        examples,
        config.sampling,
        Wanted(
            entropy=config.entropy_coef > 0,
            uniform=config.label_smoothing_factor > 0,
            support_NK=None if target is None else target.actions_NK,
        ),
    )
    device = decisions.log_probs_N.device
    gradient_N, imitation_N, entropy_N = (
        torch.cat(parts).to(device)
        for parts in (
            [share.gradient_T for share in shares],
            [share.imitation_T * _or_zeros(share.example.imitation_weights, share.example) for share in shares],
            [share.entropy_T for share in shares],
        )
    )
    gradient_loss_N, clipped_N = _policy_gradient(decisions, examples, config)
    parts = {"loss/policy_gradient": (gradient_loss_N * gradient_N).sum()}
    imitation_loss_N = imitation(decisions.log_probs_N, decisions.uniform_log_probs_N, config.label_smoothing_factor)
    parts["loss/imitation"] = (imitation_loss_N * imitation_N).sum()
    loss = parts["loss/policy_gradient"] + parts["loss/imitation"]
    if target is not None:
        taught_N = torch.cat(
            [each.teacher_T * _or_zeros(each.example.teacher_weights, each.example) for each in shares]
        )
        parts |= _distillation(decisions, examples, target, taught_N.to(device), config)
        loss = loss + parts["loss/distillation"]
    if reference_N is not None:
        parts["kl"] = (reference_kl(decisions.log_probs_N, reference_N.to(device)) * gradient_N).sum()
        loss = loss + config.beta * parts["kl"]
    if decisions.entropy_N is not None:
        parts["entropy"] = (decisions.entropy_N * entropy_N).sum()
        loss = loss - config.entropy_coef * parts["entropy"]
    parts["clip_ratio/region_mean"] = (clipped_N * gradient_N).sum()
    return loss, {key: value.detach() for key, value in parts.items()}, decisions.num_tokens


def _distillation(
    decisions: Decisions, examples: Sequence[Example], target: Target, taught_N: Tensor, config: TrainingConfig
) -> dict[str, Tensor]:
    """The divergence from the teacher, and how much more likely than the policy it finds what was done."""
    assert decisions.support_log_probs_NK is not None
    device = taught_N.device
    loss_N = divergence(decisions.support_log_probs_NK, target.log_probs_NK.to(device), config.teacher.alpha)
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


def _behaviour(log_probs_N: Tensor, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """Which decisions have a ratio, and the log-probabilities to compare with: their own where there is none, so that
    the unused ratio stays finite; (N,) both."""
    device = log_probs_N.device
    has_ratio_N = torch.cat(
        [torch.full((each.num_decisions,), each.behaviour_log_probs is not None) for each in examples]
    ).to(device)
    behaviour_N = torch.cat([_or_zeros(each.behaviour_log_probs, each) for each in examples]).to(device)
    return has_ratio_N, torch.where(has_ratio_N, behaviour_N, log_probs_N.detach())


def _without_ratio(log_probs_N: Tensor, advantages_N: Tensor, examples: Sequence[Example]) -> Tensor:
    """The plain loss, or the shaped one where an example says so."""
    plain_N = plain(log_probs_N, advantages_N)
    if all(each.shaping is None for each in examples):
        return plain_N
    gamma_N = torch.cat([torch.full((each.num_decisions,), each.shaping or 0.0) for each in examples])
    gamma_N = gamma_N.to(log_probs_N.device)
    return torch.where(gamma_N > 0, shaped(log_probs_N, advantages_N, gamma_N), plain_N)


def _policy_gradient(
    decisions: Decisions, examples: Sequence[Example], config: TrainingConfig
) -> tuple[Tensor, Tensor]:
    """Losses and which were clipped, (N,). A row that is not on-policy has no ratio: it gets the plain loss."""
    log_probs_N = decisions.log_probs_N
    device = log_probs_N.device
    advantages_N = torch.cat([_or_zeros(each.advantages, each) for each in examples]).to(device)
    plain_N = _without_ratio(log_probs_N, advantages_N, examples)
    if config.loss.loss_type == "pg":
        return plain_N, torch.zeros_like(plain_N)
    has_ratio_N, behaviour_N = _behaviour(log_probs_N, examples)
    lengths = [each.num_decisions for each in examples]
    loss_N, held_back_N = _with_ratio(log_probs_N, behaviour_N, advantages_N, lengths, config)
    return torch.where(has_ratio_N, loss_N, plain_N), (held_back_N & has_ratio_N).float()


def _with_ratio(
    log_probs_N: Tensor, behaviour_N: Tensor, advantages_N: Tensor, lengths: Sequence[int], config: TrainingConfig
) -> tuple[Tensor, Tensor]:
    loss_type, epsilon, epsilon_high = config.loss
    match loss_type:
        case "tis":
            return weighted(log_probs_N, behaviour_N, advantages_N, 0.0, config.importance_cap)
        case "cispo":
            return weighted(log_probs_N, behaviour_N, advantages_N, 1 - epsilon, 1 + epsilon_high)
        case "sapo":
            pos, neg = config.sapo_temperature_pos, config.sapo_temperature_neg
            return soft_gated(log_probs_N, behaviour_N, advantages_N, pos, neg)
        case "dual_clip":
            return dual_clipped(log_probs_N, behaviour_N, advantages_N, epsilon, epsilon_high, config.delta)
        case "gspo":
            ratio_N = mean_of_each(log_probs_N - behaviour_N, lengths)
            return clipped(ratio_N, torch.zeros_like(ratio_N), advantages_N, epsilon, epsilon_high)
        case _:
            return clipped(log_probs_N, behaviour_N, advantages_N, epsilon, epsilon_high)


def _or_zeros(values_T: Tensor | None, example: Example) -> Tensor:
    return torch.zeros(example.num_decisions) if values_T is None else values_T
