"""`cocoa`: an action gets credit for a later reward where it made that reward likelier.

Place: the advantage.
Revealed: which rewards came later, by their value ("COCOA-reward").
Source: COCOA (Meulemans 2023, arXiv:2306.16803).
Loss: that of the run's algorithm, with the advantages

    A_t = R_t + Σ_{k>t} γ^(k-t) · w(s_t, a_t, R_k) · R_k,   w(s, a, u) = 1 - π(a|s) / h(a | s, u)

s_t is the observation, a_t the action and R_t the reward of step t, γ the run's `discount`, and u the value of a
reward. h(a | s, u) = p(A_t = a | S_t = s, a reward u comes later), the hindsight model, is the policy corrected by a
small network that is fitted on the attempts of earlier steps. Rewards on which an action has no bearing have h = π, and
add nothing. The estimator's advantages are replaced.

The source takes w = h/π - 1 and sums over all actions, weighted by ∇π. A policy gradient on what was sampled needs the
form above: for the action taken, Σ_a h · (1 - π/h) · ∇log π = Σ_a h · ∇log π is the same expectation, where h/π - 1
would be another. It has more variance than the sum: an action that was not sampled learns nothing of the rewards it
would have led to. π/h is held below 10. R_t has no baseline, as in the source.

When not to use it: with language models (`hcapo`, `graph_hca`); where nearly every reward is different, so that a value
says nothing of where it came from; or with few attempts a step: the errors of h count as often as there are rewards to
come, and may outweigh the one reward that matters, where plain returns would have found it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from backsight.hindsight.advantage.fitted_credit import Evidence, FittedCredit
from backsight.hindsight.advantage.options import CocoaOptions
from backsight.types import Trajectory


class Cocoa(FittedCredit[CocoaOptions]):
    """Method whose advantages come from the rewards that an action makes likelier.

    S steps, D numbers of an observation, U different rewards, N pairs of a step and a reward.
    """

    def evidence(self, trajectory: Trajectory, observations_SD: Tensor, discount: float) -> Evidence:
        rewards_S = torch.tensor(trajectory.rewards, dtype=torch.float32)
        values_U = torch.tensor(sorted(set(rewards_S.tolist()) - {0.0}))
        times_SU = _later_counts(rewards_S, values_U, discount)
        steps_N, value_N = times_SU.nonzero(as_tuple=True)
        values_N = values_U[value_N]
        return Evidence(
            features_ND=torch.cat([observations_SD[steps_N], values_N[:, None]], 1),
            steps_N=steps_N,
            times_N=times_SU[steps_N, value_N],
            worth_N=times_SU[steps_N, value_N] * values_N,
            paid_S=rewards_S,
        )


def _later_counts(rewards_S: Tensor, values_U: Tensor, discount: float) -> Tensor:
    """Return how often each value comes after each step, discounted from the step, (S, U)."""
    times_SU = torch.zeros(len(rewards_S), len(values_U))
    for step in range(len(rewards_S) - 2, -1, -1):
        times_SU[step] = discount * (times_SU[step + 1] + (values_U == rewards_S[step + 1]))
    return times_SU
