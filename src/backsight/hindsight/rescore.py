"""`rescore`: the episode is judged again by one who knows what came of it, and that is the reward.

Place: the reward. Revealed: the outcome (`Feedback.outcome`: what the user did with the answer, what came of the deed),
shown to the judge before it rates. Source: RLHS (Liang 2025, arXiv:2501.08617), whose rule this is: the reward is a
function of episode and outcome, computed after both.

    rewards_S = (0, …, 0, R_hindsight(τ, outcome))        A = the run's estimator of them

R_hindsight is a named reward of the feedback (`reward`), say of a reward function with weight 0, or what a function
`judge` answers. The sum that counted before is kept beside it, as the named reward `foresight`: the distance between
the two shows how far the first judge can be flattered. RLHS learns by PPO or DPO; here the run's algorithm does it.

A judge may have nothing to say of an attempt (the named reward is missing). It then gets the mean of its siblings, and
so counts neither way; in a group of which nothing was said, all get 0.

When not to use it: where nothing comes of an answer that is not known when it is given (a sum is right or wrong at
once), or where the judge cannot tell the outcome from the answer's own account of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean

from backsight.errors import ConfigError
from backsight.hindsight.base import Hindsight, Scorer
from backsight.hindsight.given import number_from
from backsight.types import Group, Trajectory


class Rescore(Hindsight):
    """Pay what the episode is worth in hindsight, and nothing else."""

    def __init__(self, reward: str = "hindsight", judge: Callable[[Trajectory], float] | None = None) -> None:
        """`judge` sees the episode with the outcome in `trajectory.feedback`; with it, `reward` is not looked at."""
        self.reward, self.judge = reward, judge

    def revalue(self, groups: Sequence[Group], scorer: Scorer) -> Sequence[Group]:
        """Raises `ConfigError` when no attempt has the named reward, and `RewardError` when `judge` gives no number."""
        values = [[self._value(trajectory) for trajectory in group.trajectories] for group in groups]
        said = [value for of_group in values for value in of_group if value is not None]
        if not said and any(values):
            names = sorted({name for group in groups for each in group.trajectories for name in each.feedback.rewards})
            remedy = f"no attempt has a reward of this name; there are: {', '.join(names) or 'none'}"
            raise ConfigError("hindsight.reward", self.reward, remedy)
        return scorer.estimate([_rescored(*each) for each in zip(groups, values, strict=True)])

    def _value(self, trajectory: Trajectory) -> float | None:
        if self.judge is not None:
            return number_from("hindsight.judge", self.judge, trajectory)
        return trajectory.feedback.rewards.get(self.reward)


def _rescored(group: Group, values: Sequence[float | None]) -> Group:
    said = [value for value in values if value is not None]
    unsaid = fmean(said) if said else 0.0
    trajectories = []
    for trajectory, value in zip(group.trajectories, values, strict=True):
        feedback = trajectory.feedback
        names = {"foresight": sum(trajectory.rewards)} | ({} if value is None else {"hindsight": value})
        rescored = replace(
            feedback,
            rewards={**feedback.rewards, **names},
            reward=unsaid if value is None else value,
            step_rewards=(0.0,) * len(trajectory.steps),
        )
        trajectories.append(trajectory.revealed(rescored))
    return replace(group, trajectories=tuple(trajectories))
