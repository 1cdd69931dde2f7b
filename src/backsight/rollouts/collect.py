"""Step 1 of the training loop: `collect` acts with the current policy until every episode is over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from backsight.feedback.environment import ask_environment
from backsight.rollouts.base import Engine
from backsight.seeds import derive_seed
from backsight.types import Action, Environment, EnvironmentFactory, Group, Observation, Sampling, Step, Trajectory


def collect(
    engine: Engine,
    environments: EnvironmentFactory,
    starts: Sequence[Any],
    num_generations: int,
    sampling: Sampling,
    seed: int,
    *,
    side_by_side: int | None = None,
    success_threshold: float = 1.0,
) -> Iterator[tuple[int, Group]]:
    """Play `num_generations` episodes from each start; yield each finished group with the index of its start.

    Episodes that are still running act together, at most `side_by_side` of them; 1 fits a single environment.
    `success_threshold` is the total reward from which an episode counts as a success, if nobody says whether it is.
    """
    planned = [(start, number) for start in range(len(starts)) for number in range(num_generations)]
    wave = side_by_side or max(1, len(planned))
    finished: list[dict[int, Trajectory]] = [{} for _ in starts]
    for first in range(0, len(planned), wave):
        places = planned[first : first + wave]
        episodes = [
            _Episode(ask_environment("task.episode", environments, starts[start]), derive_seed(seed, start, number))
            for start, number in places
        ]
        for index in _play(engine, episodes, sampling):
            start, number = places[index]
            finished[start][number] = episodes[index].trajectory(starts[start], success_threshold)
            if len(finished[start]) == num_generations:
                yield start, Group(starts[start], tuple(finished[start][each] for each in range(num_generations)))


def _play(engine: Engine, episodes: Sequence[_Episode], sampling: Sampling) -> Iterator[int]:
    """Play the episodes together, and yield the index of each when it is over."""
    running = list(range(len(episodes)))
    while running:
        observations = [episodes[index].observation for index in running]
        seeds = [episodes[index].next_seed for index in running]
        for place, action in engine.act(observations, sampling, seeds):
            episodes[running[place]].advance(action)
            if episodes[running[place]].is_over:
                yield running[place]
        running = [index for index in running if not episodes[index].is_over]


class _Episode:
    """An environment, and the steps that were taken in it so far."""

    def __init__(self, environment: Environment, seed: int) -> None:
        self.environment, self.seed = environment, seed
        self.name = type(environment).__name__
        self.observation: Observation = ask_environment(f"{self.name}.reset", environment.reset)
        self.steps: list[Step] = []

    @property
    def next_seed(self) -> int:
        return derive_seed(self.seed, len(self.steps))

    @property
    def is_over(self) -> bool:
        return bool(self.steps) and (self.steps[-1].terminated or self.steps[-1].truncated)

    def trajectory(self, start: Any, success_threshold: float) -> Trajectory:
        """Return what was done; where the episode goes on behind a limit, with what would have been seen next."""
        goes_on = self.steps[-1].truncated and not self.steps[-1].terminated
        return Trajectory(
            start,
            tuple(self.steps),
            success_threshold=success_threshold,
            next_observation=self.observation if goes_on else None,
        )

    def advance(self, action: Action) -> None:
        result = ask_environment(f"{self.name}.step", self.environment.step, action)
        self.steps.append(
            Step(
                self.observation,
                action,
                result.reward,
                result.terminated,
                result.truncated,
                result.info,
                result.potential,
                result.feedback,
            )
        )
        self.observation = result.observation
