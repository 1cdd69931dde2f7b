"""Evaluation of a policy on the items of a split, by one greedy attempt or several samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from backsight.errors import DataError, RewardError, shown
from backsight.evaluation.statistics import Estimate, bootstrap_figures, estimate
from backsight.feedback.asking import ask
from backsight.feedback.numbers import finite_reward
from backsight.feedback.pool import FeedbackPool
from backsight.interfaces import EnvironmentFactory, FeedbackSource
from backsight.rollouts.base import Engine
from backsight.rollouts.collect import collect
from backsight.tasks.base import Item, Task, draw_items
from backsight.types import Sampling, Trajectory

SplitMetrics = Callable[[Sequence[Item], Sequence[str]], Mapping[str, float]]
"""A function from items and completions to metrics of a whole split; see `Task.split_metrics`."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Results of one split."""

    reward: Estimate
    rewards: dict[str, Estimate]
    """Each named reward over the items that have it, and the metrics of the split, which no item has alone."""
    trajectories: tuple[Trajectory, ...]
    """The attempts, in the order of the items."""
    num_samples: int = 1
    """Number of attempts at each item."""

    @property
    def attempts(self) -> list[tuple[Trajectory, ...]]:
        """The attempts at each item."""
        starts = range(0, len(self.trajectories), self.num_samples)
        return [self.trajectories[start : start + self.num_samples] for start in starts]

    @property
    def item_rewards(self) -> dict[str, list[float | None]]:
        """Scores of the items by name, whose means are `reward` and `rewards`; None for an item without the score."""
        attempts = self.attempts
        return {
            "reward": item_means(attempts, _reward),
            **{name: item_means(attempts, _named_reward(name)) for name in _names(self.trajectories)},
        }

    @property
    def split_metrics(self) -> dict[str, Estimate]:
        """Those of `rewards` that are no means over items."""
        named = _names(self.trajectories)
        return {name: each for name, each in self.rewards.items() if name not in named}


Evaluation = Mapping[str, Scores]
"""Scores by split."""


def evaluate_splits(
    engine: Engine,
    task: Task,
    environments: EnvironmentFactory,
    feedback: FeedbackSource,
    sampling: Sampling,
    num_items: int,
    splits: Sequence[str] = (),
    num_samples: int = 1,
) -> Evaluation:
    """Make attempts at up to `num_items` items of the splits, or of all evaluation splits, and score them.

    The items are drawn, the same ones in every run; see `draw_indices`.

    One greedy attempt is made at each item, or `num_samples` are drawn as `sampling` says if that is more than one. The
    score of an item is the mean over its attempts.

    Raises:
        DataError: when a split has no items.
        RewardError: when nobody scored any attempt at one, or the metrics of the task fail or are no finite numbers.
    """
    if num_samples == 1:
        sampling = replace(sampling, temperature=0.0)
    evaluation = {}
    for split in splits or task.eval_splits:
        items = draw_items(task.items(split), num_items)
        if not items:
            raise DataError(split, "0 items", "nothing to evaluate; give the split some rows")
        pool = FeedbackPool(feedback)
        groups = collect(engine, environments, items, num_samples, sampling, seed=0)
        attempts = [group.trajectories for group in pool.wait(pool.submit(groups, len(items), seed=0))]
        evaluation[split] = _score(task, items, attempts, num_samples)
    return evaluation


def _score(task: Task, items: Sequence[Item], attempts: Sequence[tuple[Trajectory, ...]], num_samples: int) -> Scores:
    trajectories = tuple(each for own in attempts for each in own)
    rewards = {name: estimate(_known(item_means(attempts, _named_reward(name)))) for name in _names(trajectories)}
    rewards |= _split_estimates(_checked_metrics(task), items, attempts)
    scores = _known(item_means(attempts, _reward))
    if not scores:
        raise RewardError("reward", None, f"nobody scored any of {len(items)} items; give gold answers or reward_funcs")
    return Scores(estimate(scores), rewards, trajectories, num_samples)


def _checked_metrics(task: Task) -> SplitMetrics:
    """Return a function that asks the task, which may be anybody's code, for its metrics of a split."""
    place, remedy = f"task '{task.name}', split_metrics", "mend the task"
    known: list[set[str]] = []

    def metrics(items: Sequence[Item], completions: Sequence[str]) -> Mapping[str, float]:
        answer = ask(place, remedy, task.split_metrics, items, completions)
        if not isinstance(answer, Mapping):
            raise RewardError(place, shown(answer), "return numbers by name")
        known.append(set(answer))
        if known[-1] != known[0]:
            what = ", ".join(sorted(map(str, known[0] ^ known[-1])))
            raise RewardError(place, what, "is there for some draws of the items only; return it for all of them")
        return {
            str(name): finite_reward(value, f"{place}['{name}']", remedy="a metric is a finite number")
            for name, value in answer.items()
        }

    return metrics


def _split_estimates(
    metrics: SplitMetrics, items: Sequence[Item], attempts: Sequence[Sequence[Trajectory]]
) -> dict[str, Estimate]:
    """Compute the metrics of a split, with intervals from draws of items together with all attempts at them."""
    texts = [[each.steps[-1].action.answer or "" for each in own] for own in attempts]

    def metrics_of(drawn: Sequence[int]) -> Mapping[str, float]:
        pairs = [(items[index], text) for index in drawn for text in texts[index]]
        return metrics([item for item, _ in pairs], [text for _, text in pairs])

    return bootstrap_figures(metrics_of, len(texts))


def item_means(
    attempts: Sequence[Sequence[Trajectory]], score: Callable[[Trajectory], float | None]
) -> list[float | None]:
    """Return the mean score of the attempts at each item, of those that have one; None if none has."""
    known = [_known([score(each) for each in own]) for own in attempts]
    return [fmean(scores) if scores else None for scores in known]


def _names(trajectories: Sequence[Trajectory]) -> list[str]:
    """Return the names of the rewards that some attempt has."""
    return sorted({name for each in trajectories for name in each.feedback.rewards})


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _reward(attempt: Trajectory) -> float | None:
    return attempt.total_reward if attempt.is_scored else None


def _named_reward(name: str) -> Callable[[Trajectory], float | None]:
    return lambda attempt: attempt.feedback.rewards.get(name)
