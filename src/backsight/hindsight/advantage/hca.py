"""`hca`: an action gets credit where the return, or a later state, is likelier to have come of it than of others.

Place: the advantage.
Revealed: the return Z from the step on, or the states x_k in which later rewards came.
Source: HCA (Harutyunyan 2019, arXiv:1912.02503).
Loss: that of the run's algorithm, with the advantages

    return   A_t = (1 - π(a_t|x_t) / h(a_t | x_t, Z_t)) · Z_t,   Z_t = Σ_{k≥t} γ^(k-t) R_k
    state    A_t = R_t + Σ_{k>t} γ^(k-t) · (1 - π(a_t|x_t) / h(a_t | x_t, x_k)) · R_k

x_t is the state, a_t the action and R_t the reward of step t, and γ the run's `discount`. h, the hindsight model, is
the policy corrected by a small network that is fitted on the attempts of earlier steps. The option `revealed` chooses
the form. The estimator's advantages are replaced.

1 - π/h is the form for the action that was sampled: with a perfect h, π/h is a baseline that changes no expectation.
The source's state form sums (h/π - 1) over all actions, which for the sampled one alone would be biased; and it keeps
an h for every lag k - t, where here one h serves all. π/h is held below 10.

When not to use it: with language models (`hcapo`, `graph_hca`), or where returns are mostly luck: they tell little of a
single action then. The state form degenerates to REINFORCE where states give away the action (reported by COCOA's
authors; see `cocoa`). As long as h is wrong the gradient is biased, and a policy that runs ahead of h collapses: give
it a lower learning rate than plain returns would bear.
"""

from __future__ import annotations

import torch
from torch import Tensor

from backsight.estimators.advantages import discounted_returns
from backsight.hindsight.advantage.fitted_credit import Evidence, FittedCredit
from backsight.hindsight.advantage.options import HCAOptions
from backsight.types import Trajectory


class HCA(FittedCredit[HCAOptions]):
    """Method whose advantages come from what an action is likelier to have led to.

    S steps, D numbers of an observation, N pairs of a step and a later one that was rewarded.
    """

    def evidence(self, trajectory: Trajectory, observations_SD: Tensor, discount: float) -> Evidence:
        rewards_S = torch.tensor(trajectory.rewards, dtype=torch.float32)
        if self.options.revealed == "state":
            return _from_states(observations_SD, rewards_S, discount)
        returns_S = discounted_returns(trajectory.rewards, discount).float()
        return Evidence(
            features_ND=torch.cat([observations_SD, returns_S[:, None]], 1),
            steps_N=torch.arange(len(returns_S)),
            times_N=torch.ones_like(returns_S),
            worth_N=returns_S,
            paid_S=torch.zeros_like(returns_S),
        )


def _from_states(observations_SD: Tensor, rewards_S: Tensor, discount: float) -> Evidence:
    now_N, later_N = (rewards_S != 0).expand(len(rewards_S), -1).triu(1).nonzero(as_tuple=True)
    times_N = torch.tensor(float(discount)) ** (later_N - now_N)
    return Evidence(
        features_ND=torch.cat([observations_SD[now_N], observations_SD[later_N]], 1),
        steps_N=now_N,
        times_N=times_N,
        worth_N=times_N * rewards_S[later_N],
        paid_S=rewards_S,
    )
