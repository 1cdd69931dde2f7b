"""Step 4 of the method: examples in, a changed policy and metrics out.

    L = L_pg + L_imitation + β·L_kl - c·entropy

Each part is averaged over its own decisions of the whole batch, counted before anything is cut into micro-batches:
the same examples give the same gradient whatever the cuts. N decisions of a micro-batch, T of an example.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from backsight.losses.divergence import reference_kl
from backsight.losses.imitation import imitation
from backsight.losses.policy_gradient import clipped, plain
from backsight.losses.reduction import token_mean
from backsight.policies.base import Policy
from backsight.training.algorithms import ALGORITHMS
from backsight.training.batching import micro_batches
from backsight.training.config import TrainingConfig
from backsight.types import Decisions, Example


@dataclass(frozen=True, slots=True)
class _Share:
    """An example, and what each of its decisions weighs in the parts of the loss: (T,) each, zero where it has none."""

    example: Example
    gradient_T: Tensor
    imitation_T: Tensor
    entropy_T: Tensor


def update(
    policy: Policy,
    reference: Policy | None,
    examples: Sequence[Example],
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
) -> dict[str, float]:
    """Take `num_iterations` times `mini_batches` optimizer steps; returns the means of their metrics.

    `reference` is the frozen anchor of the KL term, needed when `beta` is above 0. The mini-batches are drawn from
    torch's global generator, which the trainer seeds.
    """
    sums: Counter[str] = Counter()
    num_steps = 0
    for _ in range(config.num_iterations):
        for part in _mini_batches(examples, config.mini_batches):
            sums.update(_optimizer_step(policy, reference, part, optimizer, config))
            num_steps += 1
    return {key: value / max(1, num_steps) for key, value in sums.items()}


def _mini_batches(examples: Sequence[Example], count: int) -> list[list[Example]]:
    """The examples in `count` random parts of about the same size; one part stays in its order."""
    if count == 1:
        return [list(examples)] if examples else []
    order = torch.randperm(len(examples)).tolist()
    parts = [[examples[index] for index in order[first::count]] for first in range(count)]
    return [part for part in parts if part]


def _optimizer_step(
    policy: Policy,
    reference: Policy | None,
    examples: Sequence[Example],
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
) -> dict[str, float]:
    shares = [share for share in _shares(examples, config) if _has_signal(share.example, config)]
    metrics = {
        "frac_examples_with_signal": len(shares) / len(examples),
        "frac_off_policy": sum(each.behaviour_log_probs is None for each in examples) / len(examples),
    }
    if not shares:
        return metrics
    sums: Counter[str] = Counter()
    optimizer.zero_grad(set_to_none=True)
    for cut in micro_batches([policy.size(share.example) for share in shares], config.micro_batch_size):
        loss, parts = _loss(policy, reference, [shares[index] for index in cut], config)
        loss.backward()  # type: ignore[no-untyped-call]
        sums.update(parts)
    norm = torch.nn.utils.clip_grad_norm_(policy.module.parameters(), config.max_grad_norm)
    optimizer.step()
    return {**metrics, **sums, "grad_norm": float(norm)}


def _shares(examples: Sequence[Example], config: TrainingConfig) -> list[_Share]:
    """Settle what each decision weighs, before anything is skipped or cut."""
    reduction = ALGORITHMS[config.algorithm].reduction
    gradient = _spread(
        examples,
        [each.advantages is not None for each in examples],
        partial(reduction, config.max_completion_length),
    )
    imitated = _spread(examples, [each.imitation_weights is not None for each in examples], token_mean)
    entropy = _spread(examples, [True] * len(examples), token_mean)
    return [
        _Share(example, gradient_T * example.weight, imitation_T * example.weight, entropy_T)
        for example, gradient_T, imitation_T, entropy_T in zip(examples, gradient, imitated, entropy, strict=True)
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


def _has_signal(example: Example, config: TrainingConfig) -> bool:
    """Whether the example can move the policy. Those that cannot are skipped, after they were counted."""
    if example.imitation_weights is not None or config.entropy_coef > 0:
        return True
    return example.advantages is not None and (config.beta > 0 or bool(example.advantages.any()))


def _loss(
    policy: Policy, reference: Policy | None, shares: Sequence[_Share], config: TrainingConfig
) -> tuple[Tensor, dict[str, float]]:
    """The micro-batch's part of the loss of the whole batch, and of its metrics."""
    examples = [share.example for share in shares]
    decisions = policy.log_probs(
        examples,
        temperature=config.temperature,
        with_entropy=config.entropy_coef > 0,
        with_uniform=config.label_smoothing_factor > 0,
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
    if reference is not None and config.beta > 0:
        with torch.no_grad():
            reference_N = reference.log_probs(examples, temperature=config.temperature).log_probs_N
        parts["kl"] = (reference_kl(decisions.log_probs_N, reference_N) * gradient_N).sum()
        loss = loss + config.beta * parts["kl"]
    if decisions.entropy_N is not None:
        parts["entropy"] = (decisions.entropy_N * entropy_N).sum()
        loss = loss - config.entropy_coef * parts["entropy"]
    parts["clip_ratio/region_mean"] = (clipped_N * gradient_N).sum()
    return loss, {key: float(value.detach()) for key, value in parts.items()}


def _policy_gradient(
    decisions: Decisions, examples: Sequence[Example], config: TrainingConfig
) -> tuple[Tensor, Tensor]:
    """Losses and which were clipped, (N,). A row that is not on-policy has no ratio: it gets the plain loss."""
    log_probs_N = decisions.log_probs_N
    device = log_probs_N.device
    advantages_N = torch.cat([_or_zeros(each.advantages, each) for each in examples]).to(device)
    plain_N = plain(log_probs_N, advantages_N)
    if config.loss_type == "pg":
        return plain_N, torch.zeros_like(plain_N)
    has_ratio_N = torch.cat(
        [torch.full((each.num_decisions,), each.behaviour_log_probs is not None) for each in examples]
    ).to(device)
    behaviour_N = torch.cat([_or_zeros(each.behaviour_log_probs, each) for each in examples]).to(device)
    # a row without a behaviour is compared with itself, so that its unused ratio stays finite
    behaviour_N = torch.where(has_ratio_N, behaviour_N, log_probs_N.detach())
    clipped_loss_N, held_back_N = clipped(log_probs_N, behaviour_N, advantages_N, config.epsilon, config.epsilon_high)
    return torch.where(has_ratio_N, clipped_loss_N, plain_N), (held_back_N & has_ratio_N).float()


def _or_zeros(values_T: Tensor | None, example: Example) -> Tensor:
    return torch.zeros(example.num_decisions) if values_T is None else values_T
