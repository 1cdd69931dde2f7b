"""Fine-tuning of a language model: evaluate, train, evaluate again and save, all of it recorded in a run folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backsight.config import RunConfig, dump_config
from backsight.errors import DivergedError
from backsight.evaluation.evaluator import Evaluation, Scores, evaluate_splits
from backsight.evaluation.likelihood import compare_likelihoods, has_both_kinds, turn_log_probs
from backsight.feedback.asking import patience
from backsight.feedback.reward_functions import at_step
from backsight.policies import adapters
from backsight.policies.text import TextPolicy
from backsight.presets.base import configure, make_task
from backsight.reports.progress import TrainingProgress
from backsight.reports.run_folder import Recorder, RunReader
from backsight.runs.start import RewardFuncs, RunParts, begin
from backsight.tasks.base import Task
from backsight.training.checkpoints import newest_checkpoint
from backsight.training.progress import Progress, used_share
from backsight.training.trainer import EpisodeSource, Trainer
from backsight.types import FeedbackSource, Group

LIKELIHOOD = "recorded turns"
"""Name among the splits for the recorded turns of a log. The reward is the share of pairs of a rewarded and an
unrewarded turn in which the rewarded one has gained more; named rewards are the mean log-probability per token of each
kind."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a run."""

    policy: TextPolicy
    folder: Path
    """The run folder; the trained policy lies in its `policy/`."""
    stop_reason: str
    progress: Progress
    before: Evaluation = field(default_factory=dict)
    """Scores by split before training; empty when the run was resumed."""
    after: Evaluation = field(default_factory=dict)
    """Scores by split after training; empty when the run was interrupted."""

    @property
    def interrupted(self) -> bool:
        return self.progress.is_interrupted


def finetune(
    policy: str | TextPolicy,
    task: str | Task,
    *,
    reward_funcs: RewardFuncs | None = None,
    feedback: FeedbackSource | None = None,
    show_progress: bool = True,
    **settings: Any,
) -> Result:
    """Fine-tune a language model on a task; the settings are those of `RunConfig`, by name.

    `policy` is the name of a model, a model folder, a hub id or a loaded policy; `task` the name of a preset or a
    `Task`. With an adapter, a loaded policy has the adapter afterwards; with adapter.merge, the merged weights.
    `reward_funcs`, written for TRL, replace the task's own judge, and so does `feedback`: a judge model, or several
    sources together (`backsight.feedback`).

        backsight.finetune("path/to/model", task, hindsight="relabel", stop={"max_seconds": 60})

    Raises:
        BacksightError: when a setting, the data, the model or a reward function does not fit.
    """
    settings["policy"] = policy if isinstance(policy, str) else policy.model.name_or_path or "given in Python"
    config, build_task = configure(task, settings)
    if not isinstance(policy, str) and config.adapter is not None:
        adapters.put_on(policy.model, config.adapter)
    parts = begin(config, build_task(config), policy, reward_funcs=reward_funcs, feedback=feedback)
    return train(parts, show_progress=show_progress)


def train(parts: RunParts, *, checkpoint: Path | None = None, show_progress: bool = True) -> Result:
    """Train the policy of a run, from the beginning, or from the checkpoint that the policy was opened from."""
    return _Training(parts, checkpoint, show_progress).run()


def resume(config: RunConfig, folder: Path, *, show_progress: bool = True) -> Result:
    """Resume a run from its newest checkpoint.

    Raises:
        BacksightError: when the folder holds no run with a checkpoint.
    """
    checkpoint = newest_checkpoint(RunReader(folder).checkpoints)
    parts = begin(config, make_task(config), str(checkpoint))
    return train(parts, checkpoint=checkpoint, show_progress=show_progress)


class _Training:
    """The steps of a run around the trainer, and what they share."""

    def __init__(self, parts: RunParts, checkpoint: Path | None, show_progress: bool) -> None:
        self.parts, self.config, self.policy = parts, parts.config, parts.policy
        self.checkpoint, self.show_progress = checkpoint, show_progress
        self.recorder = self._open_recorder()
        self.turns = parts.task.recorded_turns()
        self.base_log_probs: list[float] | None = None
        """Log-probabilities of a log's recorded turns before training; None if there are not two kinds to compare, and
        in a resumed run."""

    def run(self) -> Result:
        """Evaluate, train, evaluate again, and save the policy."""
        progress = TrainingProgress(self.config.hindsight.label, is_shown=self.show_progress)
        with self._known_to_others(step=0), progress as bar:
            log = _RunLog(self.recorder, bar, self.config)
            trainer = self._trainer(log)
            if self.checkpoint is None:
                if self.parts.message is not None:
                    log.tell(trainer.progress, self.parts.message)
                if self.turns and has_both_kinds(self.turns):
                    self.base_log_probs = turn_log_probs(self.policy, self.turns)
                before = self._evaluate(step=0)
            else:
                before = {}
                trainer.resume(self.checkpoint)
            try:
                reason = trainer.train()
            except DivergedError:
                self.policy.save(self.recorder.policy)
                raise
        after = {} if trainer.progress.is_interrupted else self._evaluate(trainer.progress.step)
        if self.config.adapter is not None and self.config.adapter.merge:
            adapters.merge(self.policy.model)
        self.policy.save(self.recorder.policy)
        return Result(self.policy, self.recorder.folder, reason, trainer.progress, before, after)

    def _trainer(self, log: _RunLog) -> Trainer:
        parts, config = self.parts, self.config
        # with one_step_off, attempts are sampled while the weights change: the sampler needs weights of its own
        sampler = config.engine.build(self.policy, own_weights=True) if config.one_step_off else parts.engine
        items = parts.task.items(parts.task.train_split)
        return Trainer(
            self.policy,
            EpisodeSource(sampler, parts.environments, items, parts.feedback),
            config.hindsight.build(),
            config,
            recorders=[log],
            evaluate=self._score,
            checkpoint_folder=self.recorder.checkpoints,
        )

    def _open_recorder(self) -> Recorder:
        config = self.config
        if self.checkpoint is None:
            return Recorder.create(
                Path(config.output_dir), config.run_name, config.default_run_name, dump_config(config)
            )
        step = int(self.checkpoint.name.removeprefix("step-"))
        return Recorder.reopen(self.checkpoint.parent.parent, step, dump_config(config))

    @contextmanager
    def _known_to_others(self, step: int) -> Iterator[None]:
        """Let foreign code inside the block know how much time it has, and how far the run is."""
        with patience(self.config.reward_timeout), at_step(step, self.config.stop.max_steps or 0):
            yield

    def _evaluate(self, step: int) -> Evaluation:
        parts, config = self.parts, self.config
        with self._known_to_others(step):
            evaluation = evaluate_splits(
                parts.engine, parts.task, parts.environments, parts.feedback, config.sampling, config.eval_items
            )
        if self.base_log_probs is not None:
            evaluation = {**evaluation, LIKELIHOOD: self._likelihood(self.base_log_probs)}
        for split, scores in evaluation.items():
            named = {"reward": scores.reward, **scores.rewards}
            self.recorder.add_evaluation(step, split, {name: asdict(each) for name, each in named.items()})
        return evaluation

    def _likelihood(self, base_log_probs: Sequence[float]) -> Scores:
        """Measure whether the policy has moved towards recorded turns that were rewarded, and away from the others."""
        seen = compare_likelihoods(self.turns, turn_log_probs(self.policy, self.turns), base_log_probs)
        return Scores(seen.accuracy, {"rewarded": seen.rewarded, "unrewarded": seen.unrewarded}, ())

    def _score(self, progress: Progress) -> float:
        """Evaluate, and return what stop conditions look at: the mean reward on the first evaluation split."""
        return next(iter(self._evaluate(progress.step).values())).reward.mean


class _RunLog:
    """A recorder that passes what the trainer reports on to the run folder and the terminal.

    The run folder may lie on a slow disk: metrics and trajectories are written in the background, in the order of the
    steps.
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
            self.unwritten.pop(0).result()  # raises the error of a write that failed
        if progress.step % self.config.logging_steps == 0:
            self.unwritten.append(self.writer.submit(self._write, progress.step, metrics, groups))
        share = used_share(self.config.stop, progress)
        self.bar.update(step=progress.step, attempts=progress.attempts, metrics=metrics, share=share)
