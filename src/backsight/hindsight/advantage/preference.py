"""`preference`: the better of two siblings is preferred to the worse one, against the policy of the start (DPO).

Place: the advantage.
Revealed: which of two siblings earned more.
Source: DPO (Rafailov 2023, arXiv:2305.18290), on pairs that the policy makes itself at every step (online DPO, Guo
2024, arXiv:2402.04792).
Loss:

    L = -(1/P) Σ_p log σ(β·m_p),    m = [log π(y⁺|x) - log π_ref(y⁺|x)] - [log π(y⁻|x) - log π_ref(y⁻|x)]
    ∂L/∂log π(y±_t) = ∓(1/P)·β·σ(-β·m)        log π(y|x) = Σ_t log π(y_t | x, y_<t), t over all decisions of y

x is the prompt, y⁺ the better attempt and y⁻ the worse one, m the margin, σ the logistic function and β the option
`beta`. P pairs p of a step: the best attempt of a group with its worst, with `pairs` above 1 the second best with the
second worst, and so on; the rewards of a pair have to differ. π_ref is the teacher, by default a frozen copy of the
policy at the start. It is told nothing, so it is not tried and never pauses.

That gradient is the policy gradient's for the advantage ±c·β·σ(-β·m) at every decision and no behaviour policy,
whatever the `loss_type`: without a ratio all of them are -A·log π. A pair is one row of T_p = T⁺ + T⁻ decisions,
advantages (T_p,), so that no mini-batch and no route parts it. c is the mean of T_p over the pairs. It makes of what
the update averages

    (1/P)·ΣL_p exactly                          averaged over tokens: reinforce, rloo, dapo, cispo, ppo
    c/max_completion_length times that          by the cap: dr_grpo
    (1/P)·Σ(c/T_p)·L_p                          over rows: grpo (the default), gspo, sapo; longer pairs count less

as long as no other method in a chain adds rows of the policy gradient, which would share the average. The margin is the
one before the update: with `num_iterations` or `mini_batches` above 1, σ lags behind. The run's own `beta` is something
else: a penalty on the divergence from a reference of its own, which DPO does not need.

When not to use it: with rewards that can be trusted in size, and not only in order, `outcome` learns from all attempts
and from how far they lie apart. Groups in which all earn the same teach nothing. Only the margin counts: the better
attempt may become less likely, as long as the worse one does so faster; `best_of_n` beside it helps. With
`teacher.update=live` the margin is always 0, and nothing ends the pushing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from backsight.hindsight.advantage.options import PreferenceOptions
from backsight.hindsight.base import Exchange, Hindsight, LookBack, Scorer
from backsight.rounding import difference
from backsight.types import Example, Group, Trajectory

Pair = tuple[Trajectory, Trajectory]
"""The better attempt and the worse one."""


class Preference(Hindsight[PreferenceOptions]):
    """Method that pulls the halves of each pair apart, the less the larger their margin already is."""

    needs_scores = True

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        pairs = [pair for group in groups for pair in self._pairs(group)]
        if not pairs:
            return LookBack(groups, [])
        beta = self.options.beta
        mean_decisions = sum(each.num_decisions for pair in pairs for each in pair) / len(pairs)
        advantages_P = mean_decisions * beta * torch.sigmoid(-beta * _margins(pairs, scorer))
        rows = [_row(pair, advantage) for pair, advantage in zip(pairs, advantages_P.tolist(), strict=True)]
        return LookBack(groups, rows)

    def _pairs(self, group: Group) -> list[Pair]:
        ranked = sorted(group.trajectories, key=lambda each: each.total_reward, reverse=True)
        count = min(self.options.pairs, len(ranked) // 2)
        extremes = zip(ranked[:count], reversed(ranked[len(ranked) - count :]), strict=True)
        return [pair for pair in extremes if difference(*(each.total_reward for each in pair)) > 0]


def _margins(pairs: Sequence[Pair], scorer: Scorer) -> Tensor:
    """Return the margins, (P,): how much further than the reference the policy tells better from worse."""
    exchanges: list[Exchange] = [(each.prompts, each.responses) for pair in pairs for each in pair]
    policy, reference = scorer.log_probs(exchanges, whole=True), scorer.teacher_log_probs(exchanges)
    shifts = [(own_T - given_T).sum() for own_T, given_T in zip(policy, reference, strict=True)]
    better_P, worse_P = torch.stack(shifts).view(-1, 2).unbind(-1)
    return better_P - worse_P


def _row(pair: Pair, advantage: float) -> Example:
    better, worse = pair
    halves = (torch.full((better.num_decisions,), advantage), torch.full((worse.num_decisions,), -advantage))
    return Example(
        prompts=better.prompts + worse.prompts,
        responses=better.responses + worse.responses,
        method="preference",
        advantages=torch.cat(halves),
        trajectory=better,
    )
