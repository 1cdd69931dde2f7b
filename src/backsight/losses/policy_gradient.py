"""Policy-gradient losses, one number a decision, and reductions, which weigh the decisions in the sum.

Tensors: N decisions.

All losses have one signature, and so have all reductions. To add a loss, write a function of `LossInputs` and
`LossBounds`, give it a line in `POLICY_LOSSES`, and its name one in `backsight.training.algorithms`. The weights of a
reduction are settled for a whole optimizer step before it is cut into micro-batches, whose sums then add up to the same
loss and the same gradient wherever the cuts are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class LossInputs:
    """The inputs of a loss; ρ = π/behaviour is the importance ratio of a decision."""

    log_probs_N: Tensor
    """Log-probabilities of what was taken under the learner; differentiable."""
    behaviour_log_probs_N: Tensor
    """Log-probabilities of what was taken under the policy that sampled it."""
    advantages_N: Tensor
    lengths: Sequence[int]
    """Number of decisions of each example."""

    @property
    def log_ratio_N(self) -> Tensor:
        return self.log_probs_N - self.behaviour_log_probs_N


@dataclass(frozen=True, slots=True)
class LossBounds:
    """The bounds of a loss. Each loss reads the bounds that concern it."""

    epsilon: float = 0.2
    """Distance of the ratio's lower bound from 1."""
    epsilon_high: float = 0.2
    """Distance of the ratio's upper bound from 1."""
    delta: float = 3.0
    """Largest weight of a bad decision in `dual_clip`, as a multiple of its advantage."""
    importance_cap: float = 2.0
    """Largest weight of a decision in `tis`."""
    temperature_pos: float = 1.0
    """Speed at which the gradient of `sapo` fades with the ratio, for positive advantages."""
    temperature_neg: float = 1.05
    """Speed at which the gradient of `sapo` fades with the ratio, for other advantages."""


class LossOutputs(NamedTuple):
    """The outputs of a loss for each decision."""

    losses_N: Tensor
    held_back_N: Tensor
    """Whether a bound held back each decision."""


PolicyLoss = Callable[[LossInputs, LossBounds], LossOutputs]


def policy_gradient(inputs: LossInputs, bounds: LossBounds) -> LossOutputs:
    """Calculate -A·log π: REINFORCE's loss, right only for data of the current policy (Williams 1992)."""
    losses_N = plain_policy_gradient(inputs.log_probs_N, inputs.advantages_N)
    return LossOutputs(losses_N, torch.zeros_like(losses_N).bool())


def clip(inputs: LossInputs, bounds: LossBounds) -> LossOutputs:
    """Calculate -min(ρA, clip(ρ, 1-ε, 1+ε_high)·A) (Schulman 2017, arXiv:1707.06347)."""
    return _clip(inputs.log_ratio_N.exp(), inputs.advantages_N, bounds)


def dual_clip(inputs: LossInputs, bounds: LossBounds) -> LossOutputs:
    """Calculate the clipped loss, for a negative advantage no more than `delta` times its size: max(g, delta·A)
    (Ye 2020, arXiv:1912.09729, eq. 5).

    Without `delta`, a bad decision that has become likely would weigh as much as its ratio is large.
    """
    losses_N, held_back_N = clip(inputs, bounds)
    most_N = -bounds.delta * inputs.advantages_N
    is_cut_N = (inputs.advantages_N < 0) & (losses_N > most_N)
    return LossOutputs(torch.where(is_cut_N, most_N, losses_N), held_back_N | is_cut_N)


def gspo(inputs: LossInputs, bounds: LossBounds) -> LossOutputs:
    """Calculate the clipped loss with sg(s)·π/sg(π), where s = (π(y)/behaviour(y))^(1/T) is the ratio of the whole
    response, at each of its T decisions: GSPO-token (Zheng 2025, arXiv:2507.18071, eq. 14).

    With one advantage for the whole response its gradient is GSPO's own (eq. 7).
    """
    return _clip(_sequence_ratio(inputs, torch.mean), inputs.advantages_N, bounds)


def sequence_clip(inputs: LossInputs, bounds: LossBounds) -> LossOutputs:
    """Calculate the clipped loss with sg(s)·π/sg(π), where s = π(y)/behaviour(y) is the ratio of the whole response, at
    each of its decisions: RLOO's loss with old data (Ahmadian 2024, arXiv:2402.14740; TRL's RLOOTrainer)."""
    return _clip(_sequence_ratio(inputs, torch.sum), inputs.advantages_N, bounds)


def tis(inputs: LossInputs, bounds: LossBounds) -> LossOutputs:
    """Calculate -sg(min(ρ, cap))·A·log π: truncated importance sampling (Ionides 2008; ρ̄ of V-trace, Espeholt 2018,
    arXiv:1802.01561, eq. 1).

    It suits data of an earlier or slightly different policy, and is unbiased below the cap.
    """
    return _weigh(inputs, 0.0, bounds.importance_cap)


def cispo(inputs: LossInputs, bounds: LossBounds) -> LossOutputs:
    """Calculate -sg(clip(ρ, 1-ε, 1+ε_high))·A·log π: no decision loses its gradient, and none weighs too much
    (MiniMax-M1 2025, arXiv:2506.13585, eq. 4)."""
    return _weigh(inputs, 1 - bounds.epsilon, 1 + bounds.epsilon_high)


def sapo(inputs: LossInputs, bounds: LossBounds) -> LossOutputs:
    """Calculate -(4/τ)·σ(τ(ρ - 1))·A, with one τ for positive and one for other advantages: a clip that fades
    (Gao 2025, arXiv:2511.20347).

    At ρ = 1 its gradient is the plain one. No decision is ever held back altogether.
    """
    ratio_N = inputs.log_ratio_N.exp()
    tau_N = torch.where(inputs.advantages_N > 0, bounds.temperature_pos, bounds.temperature_neg)
    losses_N = -torch.sigmoid(tau_N * (ratio_N - 1)) * 4 / tau_N * inputs.advantages_N
    return LossOutputs(losses_N, torch.zeros_like(ratio_N).bool())


POLICY_LOSSES: Mapping[str, PolicyLoss] = {
    "pg": policy_gradient,
    "clip": clip,
    "dual_clip": dual_clip,
    "gspo": gspo,
    "sequence_clip": sequence_clip,
    "tis": tis,
    "cispo": cispo,
    "sapo": sapo,
}


def plain_policy_gradient(log_probs_N: Tensor, advantages_N: Tensor) -> Tensor:
    """Calculate -A·log π, (N,): also the loss of rows that have no behaviour policy, and so no ratio."""
    return -advantages_N * log_probs_N


def shaped_policy_gradient(log_probs_N: Tensor, advantages_N: Tensor, gamma_N: Tensor) -> Tensor:
    """Calculate -A·π/(π + γ), (N,), for responses of another source: the gradient fades where the policy would not have
    gone, so that nothing is pushed away without bound (LUFFY, arXiv:2504.14945; Critique-GRPO, arXiv:2506.03106, with
    γ = 0.1)."""
    probs_N = log_probs_N.exp()
    return -advantages_N * probs_N / (probs_N + gamma_N)


def _sequence_ratio(inputs: LossInputs, gather: Callable[[Tensor], Tensor]) -> Tensor:
    """Return each response's ratio at its decisions, with the gradient of the decision's own ratio, shape (N,)."""
    parts = torch.split(inputs.log_ratio_N.detach(), list(inputs.lengths))
    whole_N = torch.cat([gather(part).expand(len(part)) for part in parts]).exp()
    return whole_N * (inputs.log_probs_N - inputs.log_probs_N.detach()).exp()


def _clip(ratio_N: Tensor, advantages_N: Tensor, bounds: LossBounds) -> LossOutputs:
    free_N = ratio_N * advantages_N
    bounded_N = ratio_N.clamp(1 - bounds.epsilon, 1 + bounds.epsilon_high) * advantages_N
    return LossOutputs(-torch.minimum(free_N, bounded_N), bounded_N < free_N)


def _weigh(inputs: LossInputs, low: float, high: float) -> LossOutputs:
    ratio_N = inputs.log_ratio_N.detach().exp()
    losses_N = -ratio_N.clamp(low, high) * inputs.advantages_N * inputs.log_probs_N
    return LossOutputs(losses_N, (ratio_N < low) | (ratio_N > high))


Reduction = Callable[[Sequence[int], int], Tensor]
"""A function from the lengths of the examples and the length cap to the weight of each decision, (N,)."""


def token_mean(lengths: Sequence[int], max_length: int = 0) -> Tensor:
    """Weigh every decision the same: 1/N."""
    return torch.full((sum(lengths),), 1 / max(1, sum(lengths)))


def sequence_mean(lengths: Sequence[int], max_length: int = 0) -> Tensor:
    """Weigh every example the same; its T decisions share its weight: 1/(rows·T)."""
    shares = [torch.full((length,), 1 / (len(lengths) * length)) for length in lengths if length]
    return torch.cat(shares) if shares else torch.zeros(0)


def constant(lengths: Sequence[int], max_length: int) -> Tensor:
    """Weigh every decision by 1/(rows·cap), so that neither length nor success changes its weight (Dr. GRPO)."""
    return torch.full((sum(lengths),), 1 / max(1, len(lengths) * max_length))


REDUCTIONS: Mapping[str, Reduction] = {
    "token_mean": token_mean,
    "sequence_mean": sequence_mean,
    "constant": constant,
}
