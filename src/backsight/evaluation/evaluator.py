"""How well a policy solves the items of a split: greedily, or in several samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from backsight.environments.base import EnvironmentFactory
from backsight.environments.single_turn import SingleTurn
from backsight.errors import ConfigError, DataError
from backsight.evaluation.statistics import Estimate, estimate
from backsight.feedback.base import FeedbackSource
from backsight.feedback.pool import FeedbackPool
from backsight.rollouts.collect import collect
from backsight.rollouts.engine import Engine
from backsight.tasks.base import Item
from backsight.types import Sampling, Trajectory


@dataclass(frozen=True, slots=True)
class Scores:
    """What came of one split."""

    reward: Estimate
    rewards: dict[str, Estimate]
    """Each named reward over the items that have it."""
    trajectories: tuple[Trajectory, ...]
    """The attempts, in the order of the items."""
    num_samples: int = 1
    """Attempts at each item."""

    @property
    def attempts(self) -> list[tuple[Trajectory, ...]]:
        """By item."""
        starts = range(0, len(self.trajectories), self.num_samples)
        return [self.trajectories[start : start + self.num_samples] for start in starts]

    @property
    def item_rewards(self) -> dict[str, list[float | None]]:
        """By name, and then by item: what `reward` and `rewards` are the means of. None: the item has none."""
        attempts = self.attempts
        return {
            "reward": item_means(attempts, _reward),
            **{name: item_means(attempts, _named(name)) for name in self.rewards},
        }


def evaluate_split(
    engine: Engine,
    feedback: FeedbackSource,
    items: Sequence[Item],
    sampling: Sampling,
    split: str,
    environments: EnvironmentFactory = SingleTurn,
    num_samples: int = 1,
) -> Scores:
    """One greedy attempt at each item, or `num_samples` drawn as `sampling` says; an item's score is their mean.

    Raises:
        ConfigError: `num_samples` is below 1.
        DataError: the split has no items.
    """
    if num_samples < 1:
        raise ConfigError("num_samples", num_samples, "has to be at least 1, which is one greedy attempt an item")
    if not len(items):
        raise DataError(split, "0 items", "nothing to evaluate; give the split some rows")
    if num_samples == 1:
        sampling = replace(sampling, temperature=0.0)
    pool = FeedbackPool(feedback)
    asked = pool.ask(collect(engine, environments, items, num_samples, sampling, seed=0), len(items), seed=0)
    attempts = [group.trajectories for group in pool.answers(asked)]
    trajectories = tuple(each for own in attempts for each in own)
    names = sorted({name for each in trajectories for name in each.feedback.rewards})
    rewards = {name: estimate(_known(item_means(attempts, _named(name)))) for name in names}
    return Scores(estimate(_known(item_means(attempts, _reward))), rewards, trajectories, num_samples)


def item_means(
    attempts: Sequence[Sequence[Trajectory]], score: Callable[[Trajectory], float | None]
) -> list[float | None]:
    """The mean score of the attempts at each item, of those that have one; None where none has."""
    known = [_known([score(each) for each in own]) for own in attempts]
    return [fmean(scores) if scores else None for scores in known]


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _reward(attempt: Trajectory) -> float:
    return sum(attempt.rewards)


def _named(name: str) -> Callable[[Trajectory], float | None]:
    return lambda attempt: attempt.feedback.rewards.get(name)
