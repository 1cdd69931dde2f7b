"""The training loop: collect, reveal, look back, update, until a stop condition holds.

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

from backsight.feedback.pool import FeedbackPool, PendingFeedback
from backsight.hindsight.base import Hindsight
from backsight.hindsight.options import MethodOptions
from backsight.policies.base import Policy, set_weights, trained_weights
from backsight.profiling import Profile
from backsight.rollouts.base import Engine
from backsight.rollouts.collect import collect
from backsight.seeds import derive_seed
from backsight.training.checkpoints import (
    load_companion,
    load_learnt,
    load_optimizer,
    load_progress,
    save_checkpoint,
)
from backsight.training.config import TrainingConfig
from backsight.training.metrics import Meter, example_metrics, nothing_to_learn, rollout_metrics
from backsight.training.progress import Progress, learning_rate, starts_of_step, stop_reason
from backsight.training.sampling_ahead import SamplingAhead
from backsight.training.scorer import RunScorer
from backsight.training.teacher import Teacher, TeacherTrials, TrialResult, drop_teacher
from backsight.training.update import UpdateState, make_optimizer, update
from backsight.types import Action, EnvironmentFactory, Example, FeedbackSource, Group, Observation

SAMPLER = "sampler"
"""Name under which a checkpoint keeps the weights of an engine that has some of its own."""


class Recorder(Protocol):
    """A recorder of what happened in a run, for example in a run folder (`backsight.reports.run_folder`)."""

    def record(self, progress: Progress, metrics: dict[str, float], groups: Sequence[Group]) -> None:
        """Record a step. What is slow about it may be done later."""
        ...

    def tell(self, progress: Progress, message: str) -> None:
        """Tell the user something while the run goes on."""
        ...

    def flush(self) -> None:
        """Wait until everything that was recorded is written."""
        ...


@dataclass(frozen=True, slots=True)
class EpisodeSource:
    """The source of episodes: what acts, what it acts in, where each episode starts, and what judges it."""

    engine: Engine
    environments: EnvironmentFactory
    starts: Sequence[Any]
    feedback: FeedbackSource
    side_by_side: int | None = None
    """Number of episodes that may run at the same time, 1 for a single environment; None sets no limit."""


class Trainer:
    """A training run. `train` may be called once."""

    def __init__(
        self,
        policy: Policy,
        source: EpisodeSource,
        hindsight: Hindsight[MethodOptions],
        config: TrainingConfig,
        *,
        recorders: Sequence[Recorder] = (),
        evaluate: Callable[[Progress], float] | None = None,
        checkpoint_folder: Path | None = None,
    ) -> None:
        self.policy, self.source, self.hindsight, self.config = policy, source, hindsight, config
        self.recorders, self.evaluate, self.checkpoint_folder = recorders, evaluate, checkpoint_folder
        self.optimizer = make_optimizer(policy.module, config)
        self.reference = policy.reference() if config.beta > 0 else None
        self.teacher = Teacher(policy, config.teacher) if hindsight.options.needs_teacher else None
        self.num_generations = config.num_generations if hindsight.options.learns_from_attempts else 0
        self.pool = FeedbackPool(source.feedback, config.reward_timeout, config.reward_workers)
        self.update_state = UpdateState(config.micro_batch_size, Profile(next(policy.module.parameters()).device))
        self.scorer = RunScorer(policy, self.teacher, source.engine, self.pool, config, self.update_state)
        self.meter = Meter(policy)
        self.ahead = SamplingAhead(self.sample) if config.one_step_off else None
        self.progress = Progress()
        self._told: set[str] = set()
        source.engine.load_weights(policy)

    def train(self) -> str:
        """Repeat the four steps of the loop, and return why it stopped."""
        with self._finishing_the_step_on_interrupt():
            while (reason := stop_reason(self.config.stop, self.progress)) is None:
                started = time.monotonic()
                torch.manual_seed(derive_seed(self.config.seed, "update", self.progress.step))
                attempts = self.collect()
                examples, groups, metrics = self.look_back(self.reveal(attempts))
                metrics |= self.update(examples)
                seconds = time.monotonic() - started
                self.progress.seconds += seconds
                self.record(groups, metrics, seconds)
        if self.ahead is not None:
            self.ahead.discard()
        self.save()
        return reason

    def collect(self) -> PendingFeedback:
        """Act with the current policy (step 1). Finished attempts are judged while the others go on."""
        step, attempts = self.progress.step, self.progress.attempts
        if self.ahead is None:
            self.source.engine.load_weights(self.policy)
            return self.sample(step, attempts)
        pending = self.ahead.take(step, attempts)
        self.source.engine.load_weights(self.policy)
        self.ahead.start(step + 1, attempts + pending.num_attempts)
        return pending

    def sample(self, step: int, attempts: int) -> PendingFeedback:
        """Act in the episodes of a step; `attempts` is the number of attempts before it."""
        source, config = self.source, self.config
        starts = starts_of_step(source.starts, config.prompts_per_step, step, config.seed)
        seed = derive_seed(config.seed, "reveal", step)
        if self.num_generations == 0:
            return self.pool.submit(enumerate(map(Group, starts)), len(starts), seed)
        if config.stop.max_attempts is not None:  # the last step is a short one
            starts = starts[: max(1, math.ceil((config.stop.max_attempts - attempts) / self.num_generations))]
        groups = collect(
            source.engine,
            source.environments,
            starts,
            self.num_generations,
            config.sampling,
            derive_seed(config.seed, "collect", step),
            side_by_side=source.side_by_side,
        )
        return self.pool.submit(groups, len(starts), seed)

    def reveal(self, attempts: PendingFeedback) -> list[Group]:
        """Wait for the feedback on the attempts, and return them with it (step 2)."""
        return self.pool.wait(attempts)

    def look_back(self, groups: Sequence[Group]) -> tuple[list[Example], Sequence[Group], dict[str, float]]:
        """Evaluate the attempts in hindsight (step 3): the estimator's advantages, then the method's examples.

        Return the examples, the groups as they are valued now, and metrics.
        """
        with self.update_state.profile.phase("look_back"):
            self.scorer.begin(self.progress.step)
            if self.num_generations:
                groups = self.scorer.estimate(groups)
            groups, examples = self.hindsight.look_back(groups, self.scorer)
            self.scorer.finish()
            trials = self._try_teacher(examples, groups)
        if trials is not None and not trials.is_better:
            examples = drop_teacher(examples)
        self._tell([trials.complaint if trials else None, nothing_to_learn(groups, examples, self.config)])
        return examples, groups, {**example_metrics(examples), **(trials.metrics if trials else {})}

    def _try_teacher(self, examples: Sequence[Example], groups: Sequence[Group]) -> TrialResult | None:
        """Return the result of the teacher's trials; None when there is no teacher or no trial yet."""
        teacher = self.teacher
        if teacher is None:
            return None

        def act(prompts: Sequence[Observation]) -> list[Action]:
            return self.scorer.act(teacher.copy, prompts, "a trial of the teacher")

        trials = TeacherTrials(self.config.teacher, act, self.scorer.judge)
        return trials.result(self.progress.teacher_trials, self.progress.step, examples, groups)

    def _tell(self, messages: Sequence[str | None]) -> None:
        """Tell the user each message once, for as long as it stays true."""
        topics = {message.partition(":")[0]: message for message in messages if message is not None}
        for topic, message in topics.items():
            if topic not in self._told:
                for recorder in self.recorders:
                    recorder.tell(self.progress, message)
        self._told = set(topics)

    def update(self, examples: Sequence[Example]) -> dict[str, float]:
        """Update the policy (step 4), and return metrics."""
        rate = learning_rate(self.config, self.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        metrics = update(
            self.policy, self.reference, examples, self.optimizer, self.config, self.update_state, self.teacher
        )
        if self.teacher is not None:
            self.teacher.follow(self.policy)
        return {**metrics, "learning_rate": rate}

    def record(self, groups: Sequence[Group], metrics: dict[str, float], seconds: float) -> None:
        """Count the step, give its metrics to the recorders, and evaluate and save when it is time."""
        rollout = rollout_metrics(groups)
        if self.scorer.extra_attempts:
            metrics["hindsight/extra_attempts"] = float(self.scorer.extra_attempts)
        profile = self.update_state.profile.take()
        for each in (self.source.engine.profile, self.pool.profile):
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
        """Write a checkpoint, if the run has a folder for them, after the records of its steps."""
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

    def _companions(self) -> dict[str, Mapping[str, Tensor]]:
        """Return the trained weights of the run's other policies by name, of those that have weights of their own."""
        teacher = self.teacher.copy if self.teacher and self.teacher.copy is not self.policy else None
        frozen = {"reference": self.reference, "teacher": teacher}
        weights: dict[str, Mapping[str, Tensor]] = {
            name: trained_weights(policy.module) for name, policy in frozen.items() if policy is not None
        }
        weights[SAMPLER] = self.source.engine.state()
        return {name: own for name, own in weights.items() if own}

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
        for name, weights in self._companions().items():
            saved = load_companion(checkpoint, name)
            if name == SAMPLER:
                self.source.engine.load_state(saved)
            else:
                set_weights(weights, saved)
        learnt = load_learnt(checkpoint)
        if self.scorer.critic is not None:
            self.scorer.critic.load_state(_part(learnt, "critic."))
        self.hindsight.load_state(_part(learnt, "hindsight."))

    @contextmanager
    def _finishing_the_step_on_interrupt(self) -> Iterator[None]:
        """Let Ctrl-C end the run after the present step, so that what is saved is whole, and a second one at once."""
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
