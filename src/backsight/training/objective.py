"""The objective: the loss of a micro-batch, as its part of the loss of the whole batch.

    L = L_pg + L_imitation + L_distillation + β·L_kl - c·entropy

Each part is averaged over its own decisions of the whole batch, and rows of different methods apart (`weights.py`),
counted before anything is cut into micro-batches: the same examples give the same gradient whatever the cuts. Tensors:
N decisions of a micro-batch, T of an example.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from backsight.losses.policy_gradient import (
    POLICY_LOSSES,
    LossBounds,
    LossInputs,
    plain_policy_gradient,
    shaped_policy_gradient,
)
from backsight.losses.targets import distillation, imitation, later_cross_entropy, reference_kl
from backsight.policies.base import Policy
from backsight.training.config import TrainingConfig
from backsight.training.frozen_scores import Target, join_references, join_targets
from backsight.training.weights import WeightedExample, is_left_out
from backsight.types import Decisions, Example, ScoreRequest


def has_signal(example: Example, config: TrainingConfig) -> bool:
    """Return whether the example can change the policy. Those that cannot are skipped, after they were counted."""
    if is_left_out(example, config):
        return False
    return teaches(example) or config.entropy_coef > 0 or config.penalises_kl


def teaches(example: Example) -> bool:
    """Return whether the example says of a decision that it was right or wrong."""
    if example.imitation_weights is not None:
        return True
    if example.teacher_weights is not None and bool(example.teacher_weights.any()):
        return True
    return example.advantages is not None and bool(example.advantages.any())


Settle = Callable[[Sequence[Example], Tensor], list[Example]]
"""A function of examples and the learner's log-probabilities, (N,), that returns the examples to compare with them."""


def micro_batch_loss(
    policy: Policy, batch: Sequence[WeightedExample], config: TrainingConfig, settle: Settle | None = None
) -> tuple[Tensor, dict[str, Tensor], Decisions]:
    """Compute the micro-batch's part of the whole batch's loss and metrics, and the scores that it is made of."""
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
    if settle is not None:
        examples = settle(examples, decisions.log_probs_N)
    device = decisions.log_probs_N.device

    def join(parts: Iterable[Tensor]) -> Tensor:
        return torch.cat(list(parts)).to(device)

    gradient_loss_N, held_back_N = _policy_gradient(decisions, examples, config)
    imitation_loss_N = imitation(decisions.log_probs_N, decisions.uniform_log_probs_N, config.label_smoothing_factor)
    imitation_N = join(each.imitation_T * _or_zeros(each.example.imitation_weights, each.example) for each in batch)
    parts = {
        "loss/policy_gradient": (gradient_loss_N * join(each.gradient_T for each in batch)).sum(),
        "loss/imitation": (imitation_loss_N * imitation_N).sum(),
    }
    loss = parts["loss/policy_gradient"] + parts["loss/imitation"]
    if target is not None:
        taught_N = join(each.teacher_T * _or_zeros(each.example.teacher_weights, each.example) for each in batch)
        parts |= _distillation(decisions, examples, target, taught_N, config)
        loss = loss + parts["loss/distillation"] + parts.get("loss/later_distillation", 0.0)
    if reference_N is not None:
        kl_loss_N, kl_N = _divergence(decisions.log_probs_N, reference_N.to(device), examples, config)
        loss = loss + config.beta * (kl_loss_N * join(each.kl_T for each in batch)).sum()
        parts["kl"] = (kl_N * join(each.mean_kl_T for each in batch)).sum()
    if decisions.entropy_N is not None:
        parts["entropy"] = (decisions.entropy_N * join(each.entropy_T for each in batch)).sum()
        loss = loss - config.entropy_coef * parts["entropy"]
    parts["clip_ratio/region_mean"] = (held_back_N * join(each.mean_ratio_T for each in batch)).sum()
    return loss, {key: value.detach() for key, value in parts.items()}, decisions


def _divergence(
    log_probs_N: Tensor, reference_N: Tensor, examples: Sequence[Example], config: TrainingConfig
) -> tuple[Tensor, Tensor]:
    """Return the loss of the divergence from the reference, and an estimate of the divergence for people, (N,) both."""
    estimate_N = reference_kl(log_probs_N, reference_N)
    if config.kl_estimator == "k3":
        return estimate_N, estimate_N
    _, behaviour_N = _behaviour(log_probs_N, examples)
    return estimate_N * (log_probs_N - behaviour_N).exp(), estimate_N


def _distillation(
    decisions: Decisions, examples: Sequence[Example], target: Target, taught_N: Tensor, config: TrainingConfig
) -> dict[str, Tensor]:
    """Compute the divergence from the teacher, and the teacher's mean gain in log-probability of what was done."""
    assert decisions.support_log_probs_NK is not None
    device = taught_N.device
    loss_N = distillation(
        decisions.support_log_probs_NK, target.log_probs_NK.to(device), config.teacher.alpha, config.teacher.clip
    )
    log_probs_N = decisions.log_probs_N.detach()
    has_ratio_N, behaviour_N = _behaviour(log_probs_N, examples)
    weight_N = (log_probs_N - behaviour_N).exp().clamp(max=config.importance_cap)
    gain_N = target.taken_N.to(device) - log_probs_N
    parts = {
        "loss/distillation": (loss_N * weight_N * taught_N).sum(),
        "teacher/log_prob_gain": (gain_N * (taught_N > 0)).sum() / target.num_taught,
    }
    if config.teacher.sequence_gradient:
        lengths = [each.num_decisions for each in examples]
        later_N = later_cross_entropy(decisions.support_log_probs_NK, target.log_probs_NK.to(device), taught_N, lengths)
        # what was not sampled by the policy did not lead it to the states that come later
        parts["loss/later_distillation"] = (decisions.log_probs_N * weight_N * later_N * has_ratio_N).sum()
    return parts


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
