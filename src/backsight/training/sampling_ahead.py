"""Sampling ahead: attempts of later steps are sampled in a thread while those of this one are learnt.

With ``max_staleness=k``, step s samples with the weights from before step s - k, and the first k steps with those that
the run began with. Which weights a step has does not depend on how fast anything is, so that a run can be repeated and
resumed to the same bits.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import torch
from torch import Tensor

from backsight.feedback.asking import result_of
from backsight.feedback.daemons import DaemonThreads
from backsight.feedback.pool import PendingFeedback
from backsight.policies.base import Policy, set_weights, trained_weights
from backsight.rollouts.base import Engine
from backsight.training.config import TrainingConfig
from backsight.training.progress import Progress, count_starts, is_spent

Sample = Callable[[int, int], PendingFeedback]
"""A function from a step, and the number of attempts before it, to the attempts of the step."""
STALENESS = "sampling/staleness"
"""Name of the metric: the number of steps that a step's weights are old."""
COUNTS = "counts"
"""Name of a checkpoint's steps ahead: their numbers, the attempts before them, and their versions, (K, 3)."""


@dataclass(slots=True)
class Ahead:
    """A step ahead, and the weights that are to sample it."""

    step: int
    attempts: int
    """Number of attempts before the step."""
    version: int
    """Number of steps that its weights had learnt from."""
    weights: Mapping[str, Tensor]
    """The trained weights that sample it, in main memory, because a checkpoint has to hold them."""
    found: Future[PendingFeedback] | None = None
    """The attempts; None for a step beyond the end of the run, which is sampled if the run is made longer."""


class SamplingAhead:
    """A sampler in the background, one step after the other."""

    def __init__(
        self, engine: Engine, actor: Policy, sample: Sample, config: TrainingConfig, num_generations: int
    ) -> None:
        """Make the sampler. `actor` is the copy of the policy that the engine takes its weights from."""
        self.engine, self.actor = engine, actor
        self._sample, self._config, self._num_generations = sample, config, num_generations
        self._thread = DaemonThreads(1, "sampling ahead")
        self._is_free = threading.Lock()
        self._steps: deque[Ahead] = deque()
        self.metrics: dict[str, float] = {}
        """How many steps old the weights are that sampled the step which was taken last."""

    def take(self, progress: Progress, policy: Policy) -> PendingFeedback:
        """Return the attempts of the present step once they are sampled.

        Steps that may be sampled with the weights that the policy has now are begun before.

        Raises:
            RewardError: when foreign code gave no answer in time.
        """
        weights: dict[str, Tensor] | None = None
        last = progress.step + self._config.max_staleness
        while (step := progress.step + len(self._steps)) <= last:
            if weights is None:
                weights = _kept(policy)
            self._add(Ahead(step, self._attempts_before_next(progress), progress.step, weights))
        present = self._steps.popleft()
        self.metrics = {STALENESS: float(progress.step - present.version)}
        return result_of(present.found or self._begin(present))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Wait for the step that is being sampled, and begin no other, while somebody else uses the engine."""
        with self._is_free:
            yield

    def discard(self) -> None:
        """Wait for the step that is being sampled, and drop what was sampled; a checkpoint holds what it takes to do it
        again."""
        for step in reversed(self._steps):
            if step.found is not None and not step.found.cancel():
                with suppress(Exception):
                    result_of(step.found)
            step.found = None

    def state(self) -> dict[str, Tensor]:
        """Return the steps ahead, for a checkpoint, without their weights."""
        rows = [(each.step, each.attempts, each.version) for each in self._steps]
        return {COUNTS: torch.tensor(rows, dtype=torch.int64)} if rows else {}

    def weights(self) -> list[Mapping[str, Tensor]]:
        """Return the weights of the steps ahead, in the order of `state`."""
        return [each.weights for each in self._steps]

    def resume(self, state: Mapping[str, Tensor], weights: Callable[[int], Mapping[str, Tensor]]) -> None:
        """Sample the steps ahead again; `weights` is a function from the place in `state` to the weights."""
        rows: list[list[int]] = state[COUNTS].tolist() if COUNTS in state else []
        for place, (step, attempts, version) in enumerate(rows):
            self._add(Ahead(step, attempts, version, weights(place)))

    def _add(self, step: Ahead) -> None:
        self._steps.append(step)
        if not is_spent(self._config.stop, step.step, step.attempts):
            step.found = self._begin(step)

    def _begin(self, step: Ahead) -> Future[PendingFeedback]:
        return self._thread.submit(self._sample_with, step.weights, step.step, step.attempts)

    def _sample_with(self, weights: Mapping[str, Tensor], step: int, attempts: int) -> PendingFeedback:
        with self._is_free:
            set_weights(trained_weights(self.actor.module), weights)
            self.engine.load_weights(self.actor)
            return self._sample(step, attempts)

    def _attempts_before_next(self, progress: Progress) -> int:
        if not self._steps:
            return progress.attempts
        newest = self._steps[-1]
        starts = count_starts(self._config, newest.attempts, self._num_generations)
        return newest.attempts + starts * max(1, self._num_generations)


def _kept(policy: Policy) -> dict[str, Tensor]:
    """Return a copy of the trained weights in main memory."""
    return {name: weight.detach().to("cpu", copy=True) for name, weight in trained_weights(policy.module).items()}
