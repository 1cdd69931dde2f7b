"""The loop: collect, reveal, look back, update, until a stop condition holds.

It is the same for every policy, environment and hindsight method; none of them is named here.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from backsight.environments.base import EnvironmentFactory
from backsight.feedback.base import FeedbackSource
from backsight.feedback.pool import Asked, FeedbackPool
from backsight.hindsight.base import Hindsight
from backsight.policies.base import Policy, trained
from backsight.profiling import Profile
from backsight.rollouts.collect import collect
from backsight.rollouts.engine import Engine
from backsight.seeds import derived_seed
from backsight.training.advice import nothing_to_learn
from backsight.training.ahead import Ahead
from backsight.training.checkpoints import (
    load_companion,
    load_learnt,
    load_optimizer,
    load_progress,
    save_checkpoint,
)
from backsight.training.config import TrainingConfig
from backsight.training.meter import Meter
from backsight.training.metrics import example_metrics, rollout_metrics
from backsight.training.optimizer import make_optimizer
from backsight.training.order import starts_of_step
from backsight.training.progress import Progress, learning_rate, stop_reason
from backsight.training.scorer import RunScorer
from backsight.training.teacher import Teacher
from backsight.training.trials import Trials, Verdict, without_teacher
from backsight.training.update import Workbench, update
from backsight.types import Example, Group


class Recorder(Protocol):
    """Who keeps what happened; `backsight.reports.recorder` writes it to the run folder."""

    def record(self, progress: Progress, metrics: dict[str, float], groups: Sequence[Group]) -> None:
        """Take down a step. What is slow about it may be done later."""
        ...

    def tell(self, progress: Progress, message: str) -> None:
        """Something that people should know while the run goes on."""
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
        self.reference = policy.reference() if config.beta > 0 else None
        self.teacher = Teacher(policy, config.teacher) if hindsight.needs_teacher else None
        self.num_generations = config.num_generations if hindsight.needs_rollouts else 0
        self.pool = FeedbackPool(experience.feedback, config.reward_timeout, config.reward_workers)
        self.bench = Workbench(config.micro_batch_size, Profile(next(policy.module.parameters()).device))
        self.scorer = RunScorer(policy, self.teacher, experience.engine, self.pool, config, self.bench)
        self.meter = Meter(policy)
        self.ahead = Ahead(self.sample) if config.one_step_off else None
        self.progress = Progress()
        self._told: set[str] = set()
        experience.engine.sync(policy)

    def train(self) -> str:
        """Repeat the four steps of the method; returns why it stopped."""
        with self._finishing_the_step_on_interrupt():
            while (reason := stop_reason(self.config.stop, self.progress)) is None:
                started = time.monotonic()
                torch.manual_seed(derived_seed(self.config.seed, "update", self.progress.step))
                asked = self.collect()
                examples, groups, metrics = self.look_back(self.reveal(asked))
                metrics |= self.update(examples)
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

    def look_back(self, groups: Sequence[Group]) -> tuple[list[Example], Sequence[Group], dict[str, float]]:
        """3. Evaluate the behaviour in hindsight: the estimator's advantages, then the method's examples."""
        with self.bench.profile.phase("look_back"):
            self.scorer.begin(self.progress.step)
            if self.num_generations:
                groups = self.scorer.estimate(groups)
            self.hindsight.fit(groups, self.scorer)
            groups = self.hindsight.revalue(groups, self.scorer)
            examples = self.hindsight.lessons(groups, self.scorer)
            self.scorer.finish()
            verdict = self._verdict(examples, groups)
        if verdict is not None and not verdict.is_better:
            examples = without_teacher(examples)
        self._tell([verdict.complaint if verdict else None, nothing_to_learn(groups, examples, self.config)])
        return examples, groups, {**example_metrics(examples), **(verdict.metrics if verdict else {})}

    def _verdict(self, examples: Sequence[Example], groups: Sequence[Group]) -> Verdict | None:
        """Whether the teacher is worth listening to; None: there is none, or nobody knows."""
        teacher = self.teacher
        if teacher is None:
            return None
        trials = Trials(self.config.teacher, lambda told: self.scorer.act(teacher.copy, told), self.scorer.judge)
        return trials.verdict(self.progress.teacher_trials, self.progress.step, examples, groups)

    def _tell(self, messages: Sequence[str | None]) -> None:
        """Lines for people, each once for as long as it stays true."""
        topics = {message.partition(":")[0]: message for message in messages if message is not None}
        for topic, message in topics.items():
            if topic not in self._told:
                for recorder in self.recorders:
                    recorder.tell(self.progress, message)
        self._told = set(topics)

    def update(self, examples: Sequence[Example]) -> dict[str, float]:
        """4. Change the policy."""
        rate = learning_rate(self.config, self.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        metrics = update(self.policy, self.reference, examples, self.optimizer, self.config, self.bench, self.teacher)
        if self.teacher is not None:
            self.teacher.follow(self.policy)
        return {**metrics, "learning_rate": rate}

    def record(self, groups: Sequence[Group], metrics: dict[str, float], seconds: float) -> None:
        """Count, tell the recorders, evaluate and save when it is time."""
        rollout = rollout_metrics(groups)
        if self.scorer.extra_attempts:
            metrics["hindsight/extra_attempts"] = float(self.scorer.extra_attempts)
        profile = self.bench.profile.take()
        for each in (self.experience.engine.profile, self.pool.profile):
            profile.add(each.take())
        metrics = {**metrics, **self.meter.metrics(profile, seconds)}
        self.progress.step += 1
        self.progress.attempts += sum(len(group.trajectories) for group in groups) + self.scorer.extra_attempts
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
                self._companions(),
                self._learnt(),
            )

    def _companions(self) -> dict[str, Policy]:
        """Policies of the run besides the one that is trained, unless they are what every copy shares."""
        sampler = self.experience.engine.policy if self.ahead else None
        teacher = self.teacher.copy if self.teacher and self.teacher.copy is not self.policy else None
        policies = {"sampler": sampler, "reference": self.reference, "teacher": teacher}
        return {name: policy for name, policy in policies.items() if policy is not None and trained(policy.module)}

    def _learnt(self) -> dict[str, Tensor]:
        critic = self.scorer.critic.state() if self.scorer.critic else {}
        return {
            **{f"critic.{name}": value for name, value in critic.items()},
            **{f"hindsight.{name}": value for name, value in self.hindsight.state().items()},
        }

    def resume(self, checkpoint: Path) -> None:
        """Take over optimizer and counts from a checkpoint whose weights the policy already has."""
        load_optimizer(checkpoint, self.optimizer, self.policy.module)
        self.progress = load_progress(checkpoint)
        for name, policy in self._companions().items():
            load_companion(checkpoint, name, policy)
        learnt = load_learnt(checkpoint)
        if self.scorer.critic is not None:
            self.scorer.critic.load_state(_part(learnt, "critic."))
        self.hindsight.load_state(_part(learnt, "hindsight."))

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


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
