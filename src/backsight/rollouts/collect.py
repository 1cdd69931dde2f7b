"""Step 1 of the training loop: `collect` acts with the current policy until every episode is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from backsight.feedback.environment import ask_environment
from backsight.interfaces import Environment, EnvironmentFactory, Pending, StepResult
from backsight.rollouts.base import Engine
from backsight.seeds import derive_seed
from backsight.types import Action, Group, Observation, Sampling, Step, Trajectory


def collect(
    engine: Engine,
    environments: EnvironmentFactory,
    starts: Sequence[Any] | Mapping[int, Any],
    num_generations: int,
    sampling: Sampling,
    seed: int,
    *,
    side_by_side: int | None = None,
    success_threshold: float = 1.0,
) -> Iterator[tuple[int, Group]]:
    """Play `num_generations` episodes from each start; yield each finished group with the index of its start.

    Episodes that are still running act together, at most `side_by_side` of them; 1 fits a single environment. Those
    whose answer is `Pending` are waited for together, once all have acted.
    `success_threshold` is the total reward from which an episode counts as a success, if nobody says whether it is.
    Where others play a part of the starts, those that are played here come by their index: an attempt is the same
    wherever it is made.
    """
    starts = starts if isinstance(starts, Mapping) else dict(enumerate(starts))
    planned = [(start, number) for start in starts for number in range(num_generations)]
    wave = side_by_side or max(1, len(planned))
    finished: dict[int, dict[int, Trajectory]] = {start: {} for start in starts}
    for first in range(0, len(planned), wave):
        together = planned[first : first + wave]
        episodes = [
            _Episode(ask_environment("task.episode", environments, starts[start]), derive_seed(seed, start, number))
            for start, number in together
        ]
        for index in _play(engine, episodes, sampling):
            start, number = together[index]
            finished[start][number] = episodes[index].trajectory(starts[start], success_threshold)
            if len(finished[start]) == num_generations:
                yield start, Group(starts[start], tuple(finished[start][each] for each in range(num_generations)))


def _play(engine: Engine, episodes: Sequence[_Episode], sampling: Sampling) -> Iterator[int]:
    """Play the episodes together, and yield the index of each when it is over."""
    try:
        _settle(episodes)
        running = list(range(len(episodes)))
        while running:
            observations = [episodes[index].observation for index in running]
            seeds = [episodes[index].next_seed for index in running]
            late = []
            for place, action in engine.act(observations, sampling, seeds):
                index = running[place]
                episodes[index].advance(action)
                if episodes[index].is_over:
                    yield index
                if episodes[index].pending is not None:
                    late.append(index)
            _settle([episodes[index] for index in late])
            yield from (index for index in late if episodes[index].is_over)
            running = [index for index in running if not episodes[index].is_over]
    finally:
        for episode in episodes:
            if episode.pending is not None:
                episode.pending.cancel()


def _settle(episodes: Sequence[_Episode]) -> None:
    """Wait for the answers that environments still owe. All of them are on their way at the same time."""
    while waiting := [episode for episode in episodes if episode.pending is not None]:
        for episode in waiting:
            episode.settle()


class _Episode:
    """An environment, and the steps that were taken in it so far."""

    def __init__(self, environment: Environment, seed: int) -> None:
        self.environment, self.seed = environment, seed
        self.name = type(environment).__name__
        self.observation: Observation = None
        self.steps: list[Step] = []
        self.pending: Pending[Any] | None = None
        """An answer that is on its way."""
        self._take: Callable[[Any], None] = self._begin
        self._receive(ask_environment(f"{self.name}.reset", environment.reset))

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
        """Take a step. Its answer is there at once, or it is `pending`."""
        self._take = partial(self._add_step, action)
        self._receive(ask_environment(f"{self.name}.step", self.environment.step, action))

    def settle(self) -> None:
        """Wait for the answer that is pending, which may be followed by another."""
        assert self.pending is not None
        self._receive(self.pending.wait())

    def _receive(self, answer: Any) -> None:
        self.pending = answer if isinstance(answer, Pending) else None
        if self.pending is None:
            self._take(answer)

    def _begin(self, observation: Observation) -> None:
        self.observation = observation

    def _add_step(self, action: Action, result: StepResult) -> None:
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
