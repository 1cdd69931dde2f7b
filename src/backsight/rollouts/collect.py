"""Step 1 of the method: act with the current policy, until every episode is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.environments.base import Environment, EnvironmentFactory
from backsight.rollouts.engine import Engine
from backsight.seeds import derived_seed
from backsight.types import Action, Group, Observation, Sampling, Step, Trajectory


def collect(
    engine: Engine,
    environments: EnvironmentFactory,
    starts: Sequence[Any],
    num_generations: int,
    sampling: Sampling,
    seed: int,
    *,
    side_by_side: int | None = None,
) -> list[Group]:
    """`num_generations` episodes from each start.

    Those that are still running act together, `side_by_side` at the most: 1 where there is but one environment.
    """
    planned = [start for start in starts for _ in range(num_generations)]
    wave = side_by_side or max(1, len(planned))
    steps: list[tuple[Step, ...]] = []
    for first in range(0, len(planned), wave):
        episodes = [_Episode(environments(start)) for start in planned[first : first + wave]]
        _play(engine, episodes, sampling, derived_seed(seed, first))
        steps += [tuple(episode.steps) for episode in episodes]
    siblings = iter(steps)
    return [Group(start, tuple(Trajectory(start, next(siblings)) for _ in range(num_generations))) for start in starts]


def _play(engine: Engine, episodes: Sequence[_Episode], sampling: Sampling, seed: int) -> None:
    turn = 0
    while running := [episode for episode in episodes if not episode.is_over]:
        actions = engine.act([each.observation for each in running], sampling, derived_seed(seed, turn))
        for episode, action in zip(running, actions, strict=True):
            episode.advance(action)
        turn += 1


class _Episode:
    """An environment, and what has happened in it so far."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.observation: Observation = environment.reset()
        self.steps: list[Step] = []

    @property
    def is_over(self) -> bool:
        return bool(self.steps) and (self.steps[-1].terminated or self.steps[-1].truncated)

    def advance(self, action: Action) -> None:
        result = self.environment.step(action)
        self.steps.append(
            Step(self.observation, action, result.reward, result.terminated, result.truncated, result.info)
        )
        self.observation = result.observation
