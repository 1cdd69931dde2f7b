"""`rescore`: the episode is rated again by a judge that knows what came of it, and this rating becomes the reward.

Place: the reward.
Revealed: the outcome (`Feedback.outcome`: what the user did with the answer, what came of the deed), which the judge
sees before it rates.
Source: RLHS (Liang 2025, arXiv:2501.08617), whose rule this is: the reward is a function of episode and outcome,
computed after both. RLHS learns by PPO or DPO; here the run's algorithm does it.
Loss: that of the run's algorithm, on the rewards

    rewards_S = (0, …, 0, R_hindsight(τ, outcome))        A = the run's estimator of them

S are the steps of the episode τ, and A its advantages. R_hindsight is a named reward of the feedback (the option
`reward`), for example that of a reward function with weight 0, or the answer of a function `judge`. The sum that
counted before is kept beside it, as the named reward `foresight`: the distance between the two shows how far the first
judge can be flattered.

A judge may have nothing to say of an attempt (the named reward is missing). Nobody has scored the attempt then: it has
no advantage, and is in no mean.

When not to use it: where the answer has no consequences that are unknown when it is given (a sum is right or wrong at
once), or where the judge cannot tell the outcome from the answer's own account of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from backsight.errors import ConfigError
from backsight.feedback.numbers import call_for_number
from backsight.hindsight.base import Hindsight, LookBack, Scorer
from backsight.hindsight.reward.options import RescoreOptions
from backsight.types import Group, Trajectory


class Rescore(Hindsight[RescoreOptions]):
    """Method that pays what the episode is worth in hindsight, and nothing else."""

    def __init__(self, options: RescoreOptions, judge: Callable[[Trajectory], float] | None = None) -> None:
        """Make the method; `judge` replaces the named reward, and finds the outcome in `trajectory.feedback`."""
        super().__init__(options)
        self.judge = judge
        self.was_heard = False
        """Whether the named reward was ever given: then a step without any is a silent judge, and no wrong name."""

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        """Return the groups with the ratings as their rewards, and with advantages estimated from them.

        Raises:
            ConfigError: when no attempt has ever had the named reward, and there are others.
            RewardError: when `judge` does not return a number.
        """
        values = [[self._value(trajectory) for trajectory in group.trajectories] for group in groups]
        self.was_heard = self.was_heard or any(value is not None for of_group in values for value in of_group)
        names = sorted({name for group in groups for each in group.trajectories for name in each.feedback.rewards})
        if not self.was_heard and (names or any(group.scored for group in groups)):
            remedy = f"no attempt has a reward of this name; there are: {', '.join(names) or 'none'}"
            raise ConfigError("hindsight.reward", self.options.reward, remedy)
        return LookBack(scorer.estimate([_rescore(*each) for each in zip(groups, values, strict=True)]), [])

    def state(self) -> Mapping[str, Tensor]:
        return {"was_heard": torch.tensor(self.was_heard)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.was_heard = bool(state.get("was_heard", False))

    def _value(self, trajectory: Trajectory) -> float | None:
        if self.judge is not None:
            return call_for_number("hindsight.judge", self.judge, trajectory)
        return trajectory.feedback.rewards.get(self.options.reward)


def _rescore(group: Group, values: Sequence[float | None]) -> Group:
    pairs = zip(group.trajectories, values, strict=True)
    return replace(group, trajectories=tuple(_pay(trajectory, value) for trajectory, value in pairs))


def _pay(trajectory: Trajectory, value: float | None) -> Trajectory:
    """Return the attempt with this reward instead of all that was paid before; None leaves it without a score."""
    feedback = trajectory.feedback
    names = {"foresight": trajectory.total_reward} if trajectory.is_scored else {}
    if value is None:
        unpaid = tuple(replace(step, reward=None) for step in trajectory.steps)
        said = replace(feedback, rewards={**feedback.rewards, **names}, reward=None, step_rewards=None)
        return replace(trajectory, steps=unpaid, feedback=said)
    names["hindsight"] = value
    return trajectory.with_feedback(
        replace(
            feedback,
            rewards={**feedback.rewards, **names},
            reward=value,
            step_rewards=(0.0,) * len(trajectory.steps),
        )
    )
