"""Estimators of advantages from returns.

An estimator gets a whole batch, the returns-to-go of each trajectory of each group, and answers in the same nesting.
REINFORCE compares with the batch, the others with siblings: those credit every step of a trajectory with its whole
return, as GRPO-style training of language models does, and need at least two siblings. All have one signature and a
name in `ESTIMATORS`; `backsight.training.algorithms` says which algorithm takes which.

Whether returns are all equal is decided on the returns themselves, in float64 and relative to their size, before
anything is divided: then nobody has an advantage. A deviation that is nothing but rounding would else be divided by
itself.

Tensors: G siblings of a group, S steps of a trajectory, T its decisions, N trajectories of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from backsight.errors import ConfigError
from backsight.rounding import EQUAL

Returns = Sequence[Sequence[Tensor]]
"""The returns-to-go of each step in float64, (S,), by group and trajectory."""
Advantages = list[tuple[Tensor, ...]]
"""The advantages of each step, (S,), by group and trajectory."""
Estimator = Callable[[Returns], Advantages]

GRPO_EPSILON = 1e-4
"""Number that is added to the standard deviation, as in TRL."""


def discounted_returns(rewards: Sequence[float], discount: float) -> Tensor:
    """Calculate the reward-to-go G_t = Σ_k γ^k r_{t+k} of each step in float64, (S,)."""
    returns = []
    to_go = 0.0
    for reward in reversed(rewards):
        to_go = reward + discount * to_go
        returns.append(to_go)
    return torch.tensor(returns[::-1], dtype=torch.float64)


def are_equal(values: Tensor, size: Tensor | None = None) -> bool:
    """Return whether numbers differ by rounding alone. None at all are equal.

    Rounding is relative to the largest of them, or of the numbers `size` that they are differences of.
    """
    if values.numel() == 0:
        return True
    exact, largest = values.double(), (values if size is None else size).double().abs().max()
    return bool(exact.max() - exact.min() <= EQUAL * largest)


def reinforce(returns: Returns) -> Advantages:
    """Calculate A_t = (G_t - b_t) / σ, with b_t the mean return-to-go of the batch at step t and σ the batch's
    deviation; 0 where all returns of the batch are equal at each step.

    Williams 1992 with a time-dependent baseline. A trajectory that has ended has nothing to go, and counts as 0.
    """
    flat = [each for group in returns for each in group]
    steps = max(map(len, flat))
    exact_NS = torch.stack([torch.nn.functional.pad(each, (0, steps - len(each))) for each in flat])
    if all(are_equal(at_step_N) for at_step_N in exact_NS.unbind(1)):
        return [tuple(torch.zeros(len(each)) for each in group) for group in returns]
    baseline_S = exact_NS.mean(0)
    deviation = torch.cat([each - baseline_S[: len(each)] for each in flat]).square().mean().sqrt()
    return [tuple(((each - baseline_S[: len(each)]) / deviation).float() for each in group) for group in returns]


def rloo(returns: Returns) -> Advantages:
    """Calculate A = R - mean of the other siblings' R = G/(G-1)·(R - mean) (Ahmadian 2024, arXiv:2402.14740)."""
    return _compare_siblings(returns, lambda total_G: len(total_G) / (len(total_G) - 1) * (total_G - total_G.mean()))


def grpo(returns: Returns) -> Advantages:
    """Calculate A = (R - mean) / (std + 1e-4) over the siblings (Shao 2024, arXiv:2402.03300)."""
    return _compare_siblings(returns, lambda total_G: (total_G - total_G.mean()) / (total_G.std() + GRPO_EPSILON))


def batch_grpo(returns: Returns) -> Advantages:
    """Calculate A = (R - mean of the siblings) / (std of the batch + 1e-4) (Liu 2025, arXiv:2508.08221).

    The deviation is that of all returns together, which a group of nearly equal ones does not blow up.
    """
    total_N = torch.stack([each[0] for group in returns for each in group])
    return _compare_siblings(returns, lambda total_G: (total_G - total_G.mean()) / (total_N.std() + GRPO_EPSILON))


def dr_grpo(returns: Returns) -> Advantages:
    """Calculate A = R - mean over the siblings, undivided (Liu 2025, arXiv:2503.20783)."""
    return _compare_siblings(returns, lambda total_G: total_G - total_G.mean())


def _compare_siblings(returns: Returns, advantage: Callable[[Tensor], Tensor]) -> Advantages:
    advantages = []
    for group in returns:
        if len(group) < 2:
            raise ConfigError("num_generations", len(group), "this algorithm compares siblings; use at least 2")
        total_G = torch.stack([each[0] for each in group])
        values_G = torch.zeros(len(group)) if are_equal(total_G) else advantage(total_G).float()
        advantages.append(tuple(value.expand(len(each)) for value, each in zip(values_G, group, strict=True)))
    return advantages


ESTIMATORS: Mapping[str, Estimator] = {
    "reinforce": reinforce,
    "rloo": rloo,
    "grpo": grpo,
    "batch_grpo": batch_grpo,
    "dr_grpo": dr_grpo,
}


def generalised_advantages(
    rewards_T: Sequence[float],
    values_T: Sequence[float],
    discounts_T: Sequence[float],
    gae_lambda: float,
    value_behind: float = 0.0,
) -> Tensor:
    """Calculate A_t = δ_t + γ_t·λ·A_{t+1} with δ_t = r_t + γ_t·V_{t+1} - V_t, (T,) (Schulman 2016, arXiv:1506.02438,
    eq. 16).

    `discounts_T` is γ where a step of the environment ends with the decision, and 1 within a step. `value_behind` is
    the value of the state behind the last decision: 0 where the episode ended, and what is expected there where a limit
    cut it off.
    """
    advantages: list[float] = []
    later_value, later_advantage = value_behind, 0.0
    for reward, value, discount in zip(reversed(rewards_T), reversed(values_T), reversed(discounts_T), strict=True):
        delta = reward + discount * later_value - value
        later_advantage = delta + discount * gae_lambda * later_advantage
        later_value = value
        advantages.append(later_advantage)
    return torch.tensor(advantages[::-1])
