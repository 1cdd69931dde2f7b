"""A run from its configuration to its run folder: evaluate, train, evaluate, save."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from backsight.config import RunConfig, dump_config
from backsight.environments.episodes import EpisodesTask, environments_of
from backsight.evaluation.evaluator import Scores, evaluate_split
from backsight.evaluation.likelihood import has_both_kinds, likelihood, turn_log_probs
from backsight.evaluation.statistics import Estimate
from backsight.feedback.base import FeedbackSource
from backsight.feedback.environment import EnvironmentHindsight
from backsight.feedback.reward_functions import RewardFunctions
from backsight.feedback.verifier import TaskVerifier
from backsight.hindsight import catalogue as methods
from backsight.hindsight.config import label
from backsight.policies import adapters
from backsight.policies.text import TextPolicy
from backsight.reports.progress import TrainingProgress
from backsight.reports.recorder import Recorder
from backsight.rollouts.engine import Engine
from backsight.rollouts.engines import engine_for
from backsight.rollouts.prompts import prepared
from backsight.tasks.base import Task
from backsight.tasks.recorded import RecordedTask
from backsight.training.progress import Progress, used_share
from backsight.training.trainer import Experience, Trainer
from backsight.types import Group, Observation, Sampling

Evaluation = Mapping[str, Scores]
"""Scores by split."""

LIKELIHOOD = "recorded turns"
"""Instead of a split, for logs: of pairs of a rewarded and an unrewarded turn, the share in which the rewarded one has
gained more, and the mean log-probability a token of each kind."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run."""

    policy: TextPolicy
    folder: Path
    """The run folder; the trained policy lies in its `policy/`."""
    stop_reason: str
    progress: Progress
    before: Evaluation = field(default_factory=dict)
    """Empty when the run was resumed."""
    after: Evaluation = field(default_factory=dict)
    """Empty when the run was interrupted."""

    @property
    def interrupted(self) -> bool:
        return self.progress.is_interrupted


def evaluated(
    engine: Engine,
    policy: TextPolicy,
    task: Task,
    feedback: FeedbackSource,
    sampling: Sampling,
    items: int,
    splits: Sequence[str] = (),
    num_samples: int = 1,
) -> Evaluation:
    """Attempts at each of the first `items` items of the splits, or of all evaluation splits; see `evaluate_split`."""
    environments = environments_of(task, partial(policy.fits, max_completion_length=sampling.max_completion_length))
    return {
        split: evaluate_split(
            engine,
            feedback,
            task.items(split)[:items],
            sampling,
            split,
            environments,
            num_samples,
            split_metrics=task.split_metrics,
        )
        for split in splits or task.eval_splits
    }


class Session:
    """A configuration with everything it names in place."""

    def __init__(
        self,
        config: RunConfig,
        task: Task,
        policy: TextPolicy,
        reward_funcs: Callable[..., Any] | Sequence[Callable[..., Any]] | None = None,
        feedback: FeedbackSource | None = None,
    ) -> None:
        self.config, self.policy = config, policy
        self.task, self.told_of_prompts = check_prompts([policy], task, config, attempted_items(task, config))
        self.engine = engine_for(policy)
        # one step off, attempts are sampled while the weights change: it takes weights of its own
        self.sampler = engine_for(copy.deepcopy(policy)) if config.one_step_off else self.engine
        self.feedback = feedback or feedback_of(self.task, reward_funcs)
        self.base_log_probs: list[float] | None = None
        """Of a log's recorded turns, by the policy before training; None where there are not two kinds to compare."""

    def run(self, *, show_progress: bool, checkpoint: Path | None = None) -> Result:
        """Evaluate, train, evaluate, save."""
        recorder = self._recorder(checkpoint)
        with TrainingProgress(label(self.config.hindsight), is_shown=show_progress) as bar:
            log = _RunLog(recorder, bar, self.config)
            trainer = Trainer(
                self.policy,
                Experience(
                    self.sampler,
                    environments_of(self.task, self._fits),
                    self.task.items(self.task.train_split),
                    self.feedback,
                ),
                methods.build(self.config.hindsight),
                self.config,
                recorders=[log],
                evaluate=lambda progress: self._score(recorder, progress),
                checkpoint_folder=recorder.checkpoints,
            )
            if checkpoint is None:
                if self.told_of_prompts is not None:
                    log.tell(trainer.progress, self.told_of_prompts)
                self.base_log_probs = self._recorded_log_probs()
                before = self._evaluate(recorder, step=0)
            else:
                before = {}
                trainer.resume(checkpoint)
            reason = trainer.train()
        after = {} if trainer.progress.is_interrupted else self._evaluate(recorder, trainer.progress.step)
        if self.config.adapter is not None and self.config.adapter.merge:
            adapters.merge(self.policy.model)
        self.policy.save(recorder.policy)
        return Result(self.policy, recorder.folder, reason, trainer.progress, before, after)

    def _fits(self, prompt: Observation) -> bool:
        return self.policy.fits(prompt, self.config.max_completion_length)

    def _recorder(self, checkpoint: Path | None) -> Recorder:
        config = self.config
        if checkpoint is None:
            return Recorder.create(
                Path(config.output_dir), config.run_name, config.default_run_name, dump_config(config)
            )
        step = int(checkpoint.name.removeprefix("step-"))
        return Recorder.reopen(checkpoint.parent.parent, step, dump_config(config))

    def _evaluate(self, recorder: Recorder, step: int) -> Evaluation:
        config = self.config
        evaluation = evaluated(self.engine, self.policy, self.task, self.feedback, config.sampling, config.eval_items)
        if self.base_log_probs is not None:
            evaluation = {**evaluation, LIKELIHOOD: self._likelihood(self.base_log_probs)}
        for split, scores in evaluation.items():
            recorder.add_evaluation(step, split, {name: asdict(each) for name, each in _named(scores).items()})
        return evaluation

    def _recorded_log_probs(self) -> list[float] | None:
        if not isinstance(self.task, RecordedTask) or not has_both_kinds(self.task.items("test")):
            return None
        return turn_log_probs(self.policy, self.task.items("test"))

    def _likelihood(self, base_log_probs: Sequence[float]) -> Scores:
        """Whether the policy has moved towards recorded turns that were rewarded, and away from the others."""
        items = self.task.items("test")
        seen = likelihood(items, turn_log_probs(self.policy, items), base_log_probs)
        return Scores(seen.accuracy, {"rewarded": seen.rewarded, "unrewarded": seen.unrewarded}, ())

    def _score(self, recorder: Recorder, progress: Progress) -> float:
        """What stop conditions look at: the mean reward on the first evaluation split."""
        evaluation = self._evaluate(recorder, progress.step)
        return next(iter(evaluation.values())).reward.mean


class _RunLog:
    """What the trainer tells after each step, passed on to the run folder and the terminal.

    The run folder may lie on a slow disk: it is written in the background, in the order of the steps.
    """

    def __init__(self, recorder: Recorder, bar: TrainingProgress, config: RunConfig) -> None:
        self.recorder, self.bar, self.config = recorder, bar, config
        self.writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="run folder")
        self.unwritten: list[Future[None]] = []

    def flush(self) -> None:
        while self.unwritten:
            self.unwritten.pop(0).result()

    def tell(self, progress: Progress, message: str) -> None:
        self.recorder.add_message(progress.step, message)
        self.bar.tell(message)

    def _write(self, step: int, metrics: dict[str, float], groups: Sequence[Group]) -> None:
        self.recorder.add_metrics(step, metrics)
        self.recorder.add_trajectories(step, groups)

    def record(self, progress: Progress, metrics: dict[str, float], groups: Sequence[Group]) -> None:
        while self.unwritten and self.unwritten[0].done():
            self.unwritten.pop(0).result()  # raises what went wrong
        if progress.step % self.config.logging_steps == 0:
            self.unwritten.append(self.writer.submit(self._write, progress.step, metrics, groups))
        share = used_share(self.config.stop, progress)
        self.bar.update(step=progress.step, attempts=progress.attempts, metrics=metrics, share=share)


def _named(scores: Scores) -> dict[str, Estimate]:
    return {"reward": scores.reward, **scores.rewards}


def feedback_of(task: Task, reward_funcs: Callable[..., Any] | Sequence[Callable[..., Any]] | None) -> FeedbackSource:
    if reward_funcs is None:
        return EnvironmentHindsight() if isinstance(task, EpisodesTask) else TaskVerifier(task)
    return RewardFunctions([reward_funcs] if callable(reward_funcs) else list(reward_funcs))


def check_prompts(
    policies: Sequence[TextPolicy], task: Task, config: RunConfig, splits: Mapping[str, int | None]
) -> tuple[Task, str | None]:
    """The task with prompts that leave room for a completion, and what to tell people of it; see `prepared`."""
    return prepared(task, policies, config.max_completion_length, splits, truncate=config.long_prompts == "truncate")


def attempted_items(task: Task, config: RunConfig) -> dict[str, int | None]:
    """By split, how many items a run attempts; None: all."""
    return {task.train_split: None, **dict.fromkeys(task.eval_splits, config.eval_items)}
