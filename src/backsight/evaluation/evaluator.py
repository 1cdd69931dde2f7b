"""How well a policy solves the items of a split: greedily, or in several samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from backsight.environments.base import EnvironmentFactory
from backsight.environments.single_turn import SingleTurn
from backsight.errors import ConfigError, DataError
from backsight.evaluation.statistics import Estimate, bootstrapped_figures, estimate
from backsight.feedback.base import FeedbackSource
from backsight.feedback.pool import FeedbackPool
from backsight.rollouts.collect import collect
from backsight.rollouts.engine import Engine
from backsight.tasks.base import Item
from backsight.types import Sampling, Trajectory

SplitMetrics = Callable[[Sequence[Item], Sequence[str]], Mapping[str, float]]
"""See `Task.split_metrics`."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What came of one split."""

    reward: Estimate
    rewards: dict[str, Estimate]
    """Each named reward over the items that have it, and the metrics of the split, which no item has alone."""
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
            **{name: item_means(attempts, _named(name)) for name in _names(self.trajectories)},
        }

    @property
    def split_metrics(self) -> dict[str, Estimate]:
        """Those of `rewards` that are no means over items."""
        named = _names(self.trajectories)
        return {name: each for name, each in self.rewards.items() if name not in named}


def evaluate_split(
    engine: Engine,
    feedback: FeedbackSource,
    items: Sequence[Item],
    sampling: Sampling,
    split: str,
    environments: EnvironmentFactory = SingleTurn,
    num_samples: int = 1,
    split_metrics: SplitMetrics | None = None,
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
    rewards = {name: estimate(_known(item_means(attempts, _named(name)))) for name in _names(trajectories)}
    if split_metrics is not None:
        rewards |= _split_estimates(split_metrics, items, attempts)
    return Scores(estimate(_known(item_means(attempts, _reward))), rewards, trajectories, num_samples)


def _split_estimates(
    metrics: SplitMetrics, items: Sequence[Item], attempts: Sequence[Sequence[Trajectory]]
) -> dict[str, Estimate]:
    """Each with a bootstrap interval: items are drawn, with all attempts at them, and the metric worked out again."""
    texts = [[each.steps[-1].action.text or "" for each in own] for own in attempts]

    def metrics_of(drawn: Sequence[int]) -> Mapping[str, float]:
        pairs = [(items[index], text) for index in drawn for text in texts[index]]
        return metrics([item for item, _ in pairs], [text for _, text in pairs])

    return bootstrapped_figures(metrics_of, len(texts))


def item_means(
    attempts: Sequence[Sequence[Trajectory]], score: Callable[[Trajectory], float | None]
) -> list[float | None]:
    """The mean score of the attempts at each item, of those that have one; None where none has."""
    known = [_known([score(each) for each in own]) for own in attempts]
    return [fmean(scores) if scores else None for scores in known]


def _names(trajectories: Sequence[Trajectory]) -> list[str]:
    """Of the rewards that some attempt has."""
    return sorted({name for each in trajectories for name in each.feedback.rewards})


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _reward(attempt: Trajectory) -> float:
    return sum(attempt.rewards)


def _named(name: str) -> Callable[[Trajectory], float | None]:
    return lambda attempt: attempt.feedback.rewards.get(name)
