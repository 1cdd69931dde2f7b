"""`best_of_n`: the best attempts of a group are imitated, the others are thrown away.

Place: the advantage, which is one at every decision of the best and none elsewhere; prompts and responses stay as they
were. Revealed: the reward. Sources: RAFT (Dong 2023, arXiv:2304.06767) and ReST (Gulcehre 2023, arXiv:2308.08998); with
rewards of right and wrong, rejection sampling.

    L = -(1/N) Σ_i∈best Σ_t log π(y_i,t | x, y_i,<t)        N decisions of the best attempts of all groups of a step

The best are the `keep` attempts with the highest reward, earlier ones first, of those that ended by themselves: to
imitate what was cut off would teach never to end. Each of them also has to be a known success, or to have earned more
than the worst of its group, cut off or not, and at least `threshold`. So a lone success is learnt, and alone; of a
group of successes `keep` are; a group in which all earn the same and nobody speaks of success teaches nothing.

RAFT and ReST sample a large set, train on it for some epochs and start again; here every step samples afresh and learns
once. ReST keeps all that reach its threshold; so does this with `keep` as large as the group, but for groups of equals.

When not to use it: where failures have something to teach, since nothing is pushed away; and late in a run, when most
attempts succeed: one is still imitated in every group, where the advantages of `outcome` are zero, so that variety goes
on shrinking. With graded rewards the best of bad attempts is imitated too, unless `threshold` forbids it.
"""

from __future__ import annotations

from collections.abc import Sequence

from backsight.hindsight.base import Hindsight, Scorer, imitated_example
from backsight.types import Example, Group, Trajectory


class BestOfN(Hindsight):
    """Imitation of the attempts with the highest reward."""

    outcome_weight = 0.0

    def __init__(self, keep: int = 1, threshold: float | None = None) -> None:
        self.keep, self.threshold = keep, threshold

    def examples(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        return [
            imitated_example(each.prompts, each.responses, "best_of_n", trajectory=each)
            for group in groups
            for each in self._best(group)
        ]

    def _best(self, group: Group) -> list[Trajectory]:
        lowest = min(map(_reward, group.trajectories), default=0.0)
        good = [
            each
            for each in group.trajectories
            if not each.steps[-1].truncated
            and (each.feedback.success is True or _reward(each) > lowest)
            and (self.threshold is None or _reward(each) >= self.threshold)
        ]
        return sorted(good, key=_reward, reverse=True)[: self.keep]


def _reward(trajectory: Trajectory) -> float:
    return sum(trajectory.rewards)
