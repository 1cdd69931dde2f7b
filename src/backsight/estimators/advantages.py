"""Estimators of advantages from returns.

An estimator gets a whole batch, the returns-to-go of each trajectory of each group, and answers in the same nesting.
REINFORCE compares with the batch, the others with siblings: those credit every step of a trajectory with its whole
return, as GRPO-style training of language models does, and need at least two siblings. All have one signature and a
name in `ESTIMATORS`; `backsight.training.algorithms` says which algorithm takes which.

Tensors: G siblings of a group, S steps of a trajectory, T its decisions, N trajectories of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from backsight.errors import ConfigError

Returns = Sequence[Sequence[Tensor]]
"""The returns-to-go of each step, (S,), by group and trajectory."""
Advantages = list[tuple[Tensor, ...]]
"""The advantages of each step, (S,), by group and trajectory."""
Estimator = Callable[[Returns], Advantages]

GRPO_EPSILON = 1e-4
"""Number that is added to the standard deviation, as in TRL."""


def discounted_returns(rewards: Sequence[float], discount: float) -> Tensor:
    """Calculate the reward-to-go G_t = Σ_k γ^k r_{t+k} of each step, (S,)."""
    returns = []
    to_go = 0.0
    for reward in reversed(rewards):
        to_go = reward + discount * to_go
        returns.append(to_go)
    return torch.tensor(returns[::-1])


def reinforce(returns: Returns) -> Advantages:
    """Calculate A_t = (G_t - b_t) / σ, with b_t the mean return-to-go of the batch at step t and σ the batch's
    deviation.

    Williams 1992 with a time-dependent baseline. A trajectory that has ended has nothing to go, and counts as 0.
    """
    flat = [each for group in returns for each in group]
    steps = max(map(len, flat))
    padded_NS = torch.stack([torch.nn.functional.pad(each, (0, steps - len(each))) for each in flat])
    baseline_S = padded_NS.mean(0)
    deviation = torch.cat([each - baseline_S[: len(each)] for each in flat]).square().mean().sqrt()
    scale = float(deviation) if deviation > 1e-8 else 1.0
    return [tuple((each - baseline_S[: len(each)]) / scale for each in group) for group in returns]


def rloo(returns: Returns) -> Advantages:
    """Calculate A = R - mean of the other siblings' R = G/(G-1)·(R - mean) (Ahmadian 2024, arXiv:2402.14740)."""
    return _relative_to_siblings(
        returns, lambda total_G: len(total_G) / (len(total_G) - 1) * (total_G - total_G.mean())
    )


def grpo(returns: Returns) -> Advantages:
    """Calculate A = (R - mean) / (std + 1e-4) over the siblings (Shao 2024, arXiv:2402.03300)."""
    return _relative_to_siblings(returns, lambda total_G: (total_G - total_G.mean()) / (total_G.std() + GRPO_EPSILON))


def dr_grpo(returns: Returns) -> Advantages:
    """Calculate A = R - mean over the siblings, undivided (Liu 2025, arXiv:2503.20783)."""
    return _relative_to_siblings(returns, lambda total_G: total_G - total_G.mean())


def _relative_to_siblings(returns: Returns, advantage: Callable[[Tensor], Tensor]) -> Advantages:
    advantages = []
    for group in returns:
        if len(group) < 2:
            raise ConfigError("num_generations", len(group), "this algorithm compares siblings; use at least 2")
        total_G = torch.stack([each[0] for each in group])
        advantages.append(tuple(value.expand(len(each)) for value, each in zip(advantage(total_G), group, strict=True)))
    return advantages


ESTIMATORS: Mapping[str, Estimator] = {"reinforce": reinforce, "rloo": rloo, "grpo": grpo, "dr_grpo": dr_grpo}


def generalised_advantages(
    rewards_T: Sequence[float], values_T: Sequence[float], discounts_T: Sequence[float], gae_lambda: float
) -> Tensor:
    """Calculate A_t = δ_t + γ_t·λ·A_{t+1} with δ_t = r_t + γ_t·V_{t+1} - V_t, and nothing after the end, (T,)
    (Schulman 2016, arXiv:1506.02438, eq. 16).

    `discounts_T` is γ where a step of the environment ends with the decision, and 1 within a step.
    """
    advantages: list[float] = []
    later_value = later_advantage = 0.0
    for reward, value, discount in zip(reversed(rewards_T), reversed(values_T), reversed(discounts_T), strict=True):
        delta = reward + discount * later_value - value
        later_advantage = delta + discount * gae_lambda * later_advantage
        later_value = value
        advantages.append(later_advantage)
    return torch.tensor(advantages[::-1])
