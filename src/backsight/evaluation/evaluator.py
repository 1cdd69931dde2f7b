"""How well a policy solves the items of a split, greedily."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from backsight.environments.base import EnvironmentFactory
from backsight.environments.single_turn import SingleTurn
from backsight.errors import DataError
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


def evaluate_split(
    engine: Engine,
    feedback: FeedbackSource,
    items: Sequence[Item],
    sampling: Sampling,
    split: str,
    environments: EnvironmentFactory = SingleTurn,
) -> Scores:
    """One greedy attempt at each item; lengths and stop strings are those of `sampling`.

    Raises:
        DataError: the split has no items.
    """
    if not len(items):
        raise DataError(split, "0 items", "nothing to evaluate; give the split some rows")
    pool = FeedbackPool(feedback)
    asked = pool.ask(
        collect(engine, environments, items, 1, replace(sampling, temperature=0.0), seed=0), len(items), seed=0
    )
    revealed = [group.trajectories[0] for group in pool.answers(asked)]
    names = sorted({name for each in revealed for name in each.feedback.rewards})
    rewards = {
        name: estimate([each.feedback.rewards[name] for each in revealed if name in each.feedback.rewards])
        for name in names
    }
    return Scores(estimate([sum(each.rewards) for each in revealed]), rewards, tuple(revealed))
