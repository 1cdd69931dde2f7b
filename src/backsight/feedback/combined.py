"""Several sources of feedback as one: they are asked in turn, and each sees what those before it revealed."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeVar

from backsight.errors import ConfigError, RewardError
from backsight.feedback.sources import ask_source
from backsight.interfaces import FeedbackSource
from backsight.rounding import total
from backsight.types import Feedback, Trajectory

_T = TypeVar("_T")


class Combined:
    """A feedback source made of several: the named rewards of all, and the weighted sum of their rewards.

    A weight of 0 makes a source a metric. For what only one source can say (success, a correction, an outcome, a goal)
    the first that says it counts; comments in words are all kept. A judge that is to know the outcome has to come after
    the source that reveals it:

        Combined([TaskVerifier(task), Judge(ask, sees_outcome=False, name="foresight"), Judge(ask, name="hindsight")],
                 weights=[0, 0, 1])

    Raises:
        ConfigError: when there is no source, or not one finite weight for each source.
    """

    def __init__(self, sources: Sequence[FeedbackSource], weights: Sequence[float] | None = None) -> None:
        self.sources = list(sources)
        self.weights = [1.0] * len(self.sources) if weights is None else list(weights)
        if not self.sources or len(self.weights) != len(self.sources):
            raise ConfigError(
                "weights", self.weights, f"give one for each of {len(self.sources)} sources, at least one"
            )
        if not all(map(math.isfinite, self.weights)):
            raise ConfigError("weights", self.weights, "give finite numbers")

    @property
    def busy(self) -> Collection[str]:
        return [name for source in self.sources for name in source.busy]

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
        """Return one feedback for each trajectory, in order.

        Raises:
            RewardError: when a source failed, or two gave rewards of the same name.
        """
        known = [Feedback()] * len(trajectories)
        for source, weight in zip(self.sources, self.weights, strict=True):
            asked = [trajectory.with_feedback(each) for trajectory, each in zip(trajectories, known, strict=True)]
            said = ask_source(source, asked, seeds)
            known = [_unite_weighted(one, two, weight) for one, two in zip(known, said, strict=True)]
        return known


def unite(known: Feedback, said: Feedback) -> Feedback:
    """Return what two sources say together: all named rewards and comments, and else what was known first.

    Rewards that are to be summed stay those of the first.

    Raises:
        RewardError: when both gave a reward of the same name.
    """
    shared = known.rewards.keys() & said.rewards.keys()
    if shared:
        raise RewardError(f"reward '{min(shared)}'", "given by two sources", "give one of them another name")
    return replace(
        known,
        rewards={**known.rewards, **said.rewards},
        success=_first(known.success, said.success),
        achieved_prompts=_first(known.achieved_prompts, said.achieved_prompts),
        achieved_prompts_by_step=_first(known.achieved_prompts_by_step, said.achieved_prompts_by_step),
        achieved_share=_first(known.achieved_share, said.achieved_share),
        text="\n".join(filter(None, (known.text, said.text))) or None,
        correction=_first(known.correction, said.correction),
        outcome=_first(known.outcome, said.outcome),
        sources=(*known.sources, *said.sources),
    )


def _unite_weighted(known: Feedback, said: Feedback, weight: float) -> Feedback:
    return replace(
        unite(known, said),
        reward=_sum(known.reward, said.reward, weight),
        step_rewards=_step_sum(known.step_rewards, said.step_rewards, weight),
    )


def _first(one: _T | None, two: _T | None) -> _T | None:
    return two if one is None else one


def _sum(one: float | None, two: float | None, weight: float) -> float | None:
    if two is None or weight == 0:
        return one
    return total((one or 0.0, weight * two))


def _step_sum(one: tuple[float, ...] | None, two: tuple[float, ...] | None, weight: float) -> tuple[float, ...] | None:
    if two is None or weight == 0:
        return one
    return tuple(before + weight * reward for before, reward in zip(one or (0.0,) * len(two), two, strict=True))
