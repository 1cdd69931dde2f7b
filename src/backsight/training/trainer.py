"""The loop: collect, reveal, look back, update, until a stop condition holds.

It is the same for every policy, environment and hindsight method; none of them is named here.
"""

from __future__ import annotations

import copy
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from backsight.environments.base import EnvironmentFactory
from backsight.estimators.returns import discounted_returns
from backsight.feedback.base import FeedbackSource
from backsight.feedback.pool import Asked, FeedbackPool
from backsight.hindsight.base import Hindsight
from backsight.policies.base import Policy
from backsight.profiling import Profile
from backsight.rollouts.collect import collect
from backsight.rollouts.engine import Engine
from backsight.seeds import derived_seed
from backsight.training.ahead import Ahead
from backsight.training.algorithms import ALGORITHMS
from backsight.training.checkpoints import load_optimizer, load_progress, load_sampler, save_checkpoint
from backsight.training.config import TrainingConfig
from backsight.training.meter import Meter
from backsight.training.metrics import rollout_metrics
from backsight.training.optimizer import make_optimizer
from backsight.training.order import starts_of_step
from backsight.training.progress import Progress, learning_rate, stop_reason
from backsight.training.update import Workbench, update
from backsight.types import Example, Group


class Recorder(Protocol):
    """Who keeps what happened; `backsight.reports.recorder` writes it to the run folder."""

    def record(self, progress: Progress, metrics: dict[str, float], groups: Sequence[Group]) -> None:
        """Take down a step. What is slow about it may be done later."""
        ...

    def flush(self) -> None:
        """Return once all that was taken down is where it belongs."""
        ...


@dataclass(frozen=True, slots=True)
class Experience:
    """Where episodes come from and who judges them."""

    engine: Engine
    environments: EnvironmentFactory
    starts: Sequence[Any]
    feedback: FeedbackSource
    side_by_side: int | None = None
    """Episodes that may run at the same time; 1 where there is but one environment."""


class Trainer:
    """One run. `train` may be called once."""

    def __init__(
        self,
        policy: Policy,
        experience: Experience,
        hindsight: Hindsight,
        config: TrainingConfig,
        *,
        recorders: Sequence[Recorder] = (),
        evaluate: Callable[[Progress], float] | None = None,
        checkpoint_folder: Path | None = None,
    ) -> None:
        self.policy, self.experience, self.hindsight, self.config = policy, experience, hindsight, config
        self.recorders, self.evaluate, self.checkpoint_folder = recorders, evaluate, checkpoint_folder
        self.optimizer = make_optimizer(policy.module, config)
        self.reference = copy.deepcopy(policy) if config.beta > 0 else None
        self.estimator = ALGORITHMS[config.algorithm].estimator
        self.num_generations = config.num_generations if hindsight.needs_rollouts else 0
        self.pool = FeedbackPool(experience.feedback, config.reward_timeout, config.reward_workers)
        self.bench = Workbench(config.micro_batch_size, Profile(next(policy.module.parameters()).device))
        self.meter = Meter(policy)
        self.ahead = Ahead(self.sample) if config.one_step_off else None
        self.progress = Progress()
        experience.engine.sync(policy)

    def train(self) -> str:
        """Repeat the four steps of the method; returns why it stopped."""
        with self._finishing_the_step_on_interrupt():
            while (reason := stop_reason(self.config.stop, self.progress)) is None:
                started = time.monotonic()
                torch.manual_seed(derived_seed(self.config.seed, "update", self.progress.step))
                asked = self.collect()
                groups = self.reveal(asked)
                examples, groups = self.look_back(groups)
                metrics = self.update(examples)
                seconds = time.monotonic() - started
                self.progress.seconds += seconds
                self.record(groups, metrics, seconds)
        if self.ahead is not None:
            self.ahead.discard()
        self.save()
        return reason

    def collect(self) -> Asked:
        """1. Act with the current policy. Who is finished is judged while the others go on."""
        step, attempts = self.progress.step, self.progress.attempts
        if self.ahead is None:
            self.experience.engine.sync(self.policy)
            return self.sample(step, attempts)
        asked = self.ahead.take(step, attempts)
        self.experience.engine.sync(self.policy)
        self.ahead.start(step + 1, attempts + asked.num_attempts)
        return asked

    def sample(self, step: int, attempts: int) -> Asked:
        """Act in the episodes of a step, when so many were sampled before it."""
        source, config = self.experience, self.config
        starts = starts_of_step(source.starts, config.prompts_per_step, step, config.seed)
        seed = derived_seed(config.seed, "reveal", step)
        if self.num_generations == 0:
            return self.pool.ask(enumerate(map(Group, starts)), len(starts), seed)
        if config.stop.max_attempts is not None:  # the last step is a short one
            starts = starts[: max(1, math.ceil((config.stop.max_attempts - attempts) / self.num_generations))]
        groups = collect(
            source.engine,
            source.environments,
            starts,
            self.num_generations,
            config.sampling,
            derived_seed(config.seed, "collect", step),
            side_by_side=source.side_by_side,
        )
        return self.pool.ask(groups, len(starts), seed)

    def reveal(self, asked: Asked) -> list[Group]:
        """2. See the rewards, and what else came of it."""
        return self.pool.answers(asked)

    def look_back(self, groups: Sequence[Group]) -> tuple[list[Example], list[Group]]:
        """3. Evaluate the behaviour in hindsight: the estimator's advantages, then the method's examples."""
        with self.bench.profile.phase("look_back"):
            if self.num_generations:
                returns = [
                    [discounted_returns(each.rewards, self.config.discount) for each in group.trajectories]
                    for group in groups
                ]
                estimated = self.estimator(returns)
                groups = [replace(group, advantages=own) for group, own in zip(groups, estimated, strict=True)]
            return [example for group in groups for example in self.hindsight(group, self.policy)], list(groups)

    def update(self, examples: Sequence[Example]) -> dict[str, float]:
        """4. Change the policy."""
        rate = learning_rate(self.config, self.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        metrics = update(self.policy, self.reference, examples, self.optimizer, self.config, self.bench)
        return {**metrics, "learning_rate": rate}

    def record(self, groups: Sequence[Group], metrics: dict[str, float], seconds: float) -> None:
        """Count, tell the recorders, evaluate and save when it is time."""
        rollout = rollout_metrics(groups)
        profile = self.bench.profile.take()
        for each in (self.experience.engine.profile, self.pool.profile):
            profile.add(each.take())
        metrics = {**metrics, **self.meter.metrics(profile, seconds)}
        self.progress.step += 1
        self.progress.attempts += sum(len(group.trajectories) for group in groups)
        self.progress.tokens += int(rollout.get("num_tokens", 0))
        for recorder in self.recorders:
            recorder.record(self.progress, {**rollout, **metrics}, groups)
        if self.evaluate and self.config.eval_steps and self.progress.step % self.config.eval_steps == 0:
            self.progress.scores.append(self.evaluate(self.progress))
        if self.config.save_steps and self.progress.step % self.config.save_steps == 0:
            self.save()

    def save(self) -> None:
        """Write a checkpoint, where the run has a folder for them; the records of its steps come first."""
        for recorder in self.recorders:
            recorder.flush()
        if self.checkpoint_folder is not None:
            save_checkpoint(
                self.checkpoint_folder,
                self.policy,
                self.optimizer,
                self.progress,
                self.config.save_total_limit,
                sampler=self.experience.engine.policy if self.ahead else None,
            )

    def resume(self, checkpoint: Path) -> None:
        """Take over optimizer and counts from a checkpoint whose weights the policy already has."""
        load_optimizer(checkpoint, self.optimizer, self.policy.module)
        self.progress = load_progress(checkpoint)
        if self.ahead is not None:
            load_sampler(checkpoint, self.experience.engine.policy)

    @contextmanager
    def _finishing_the_step_on_interrupt(self) -> Iterator[None]:
        """Ctrl-C ends the run after the step under way, so that what is saved is whole; a second one at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def interrupt(signum: int, frame: object) -> None:
            self.progress.is_interrupted = True
            signal.signal(signal.SIGINT, previous)

        previous = signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)
