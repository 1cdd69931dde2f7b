"""`best_of_n`: the best attempts of a group are imitated, and the others are thrown away.

Place: the advantage, which is one at every decision of the best and none elsewhere; prompts and responses stay as they
were.
Revealed: the reward.
Sources: RAFT (Dong 2023, arXiv:2304.06767) and ReST (Gulcehre 2023, arXiv:2308.08998); with rewards of right and wrong,
rejection sampling.
Loss:

    L = -(1/N) Σ_i∈best Σ_t log π(y_i,t | x, y_i,<t)        N decisions of the best attempts of all groups of a step

x is the prompt, y_i attempt i and t a decision of it.

The best are the `keep` attempts with the highest reward, earlier ones first, of those that ended by themselves: to
imitate what was cut off would teach never to end. Each of them also has to be a known success, or to have earned more
than the worst of its group, cut off or not, and at least `threshold`. So a lone success is learnt, and alone; of a
group of successes `keep` are learnt; a group in which all earn the same and none is a known success teaches nothing.

RAFT and ReST sample a large set, train on it for some epochs and start again; here every step samples afresh and learns
once. ReST keeps all that reach its threshold; so does this method with `keep` as large as the group, except in groups
of equals.

When not to use it: where failures have something to teach, since nothing is pushed away; and late in a run, when most
attempts succeed: one is still imitated in every group, where the advantages of `outcome` are zero, so that variety goes
on shrinking. With graded rewards the best of bad attempts is imitated too, unless `threshold` forbids it.
"""

from __future__ import annotations

from collections.abc import Sequence

from backsight.hindsight.advantage.options import BestOfNOptions
from backsight.hindsight.base import Hindsight, LookBack, Scorer, imitation_row
from backsight.rounding import difference
from backsight.types import Group, Trajectory


class BestOfN(Hindsight[BestOfNOptions]):
    """Method that imitates the attempts with the highest reward."""

    needs_scores = True

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        rows = [
            imitation_row(each.prompts, each.responses, "best_of_n", trajectory=each)
            for group in groups
            for each in self._best(group)
        ]
        return LookBack(groups, rows)

    def _best(self, group: Group) -> list[Trajectory]:
        lowest = min((each.total_reward for each in group.trajectories), default=0.0)
        threshold = self.options.threshold
        good = [
            each
            for each in group.trajectories
            if not each.was_cut_off
            and (each.feedback.success is True or difference(each.total_reward, lowest) > 0)
            and (threshold is None or difference(each.total_reward, threshold) >= 0)
        ]
        return sorted(good, key=lambda each: each.total_reward, reverse=True)[: self.options.keep]
