"""Fine-tune and evaluate language models: what `backsight.finetune`, `backsight.evaluate` and the command line call."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backsight.config import RunConfig, change_config, dump_config
from backsight.environments.single_turn import SingleTurn
from backsight.evaluation.agreement import sampler_learner_difference
from backsight.evaluation.evaluator import Scores, evaluate_split
from backsight.evaluation.statistics import Estimate
from backsight.feedback.base import FeedbackSource
from backsight.feedback.reward_functions import RewardFunctions
from backsight.feedback.verifier import TaskVerifier
from backsight.hindsight import catalogue as methods
from backsight.hindsight.config import OutcomeConfig
from backsight.pocket.folder import MODEL_FOLDER
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.presets import catalogue as presets
from backsight.reports.progress import TrainingProgress
from backsight.reports.reader import POLICY, RunReader
from backsight.reports.recorder import Recorder
from backsight.rollouts.local import LocalEngine
from backsight.tasks.base import Task
from backsight.training.checkpoints import newest_checkpoint
from backsight.training.config import StopConfig
from backsight.training.progress import Progress, used_share
from backsight.training.trainer import Experience, Trainer
from backsight.types import Group

Evaluation = Mapping[str, Scores]
"""Scores by split."""

CHECKED_PROMPTS = 1000
"""Prompts of the training split whose length is checked before the first attempt."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run."""

    policy: CausalLMPolicy
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


def finetune(
    policy: str | CausalLMPolicy,
    task: str | Task,
    *,
    reward_funcs: Callable[..., Any] | Sequence[Callable[..., Any]] | None = None,
    show_progress: bool = True,
    **settings: Any,
) -> Result:
    """Fine-tune a language model on a task; the settings are those of `RunConfig`, by name.

    `policy` is ``"pocket"``, a model folder, a hub id or a loaded policy; `task` the name of a preset or a `Task`.
    `reward_funcs`, written for TRL, replace the task's own judge.

        backsight.finetune("pocket", "instructions", hindsight="relabel", stop={"max_seconds": 60})

    Raises:
        BacksightError: a setting, the data, the model or a reward function does not fit.
    """
    if isinstance(task, str):
        preset = presets.get(task)
        base, build_task = preset.config, preset.task
    else:
        base = RunConfig(preset=task.name, policy="pocket", hindsight=OutcomeConfig(), stop=StopConfig(max_steps=200))
        build_task = _constant(task)
    settings["policy"] = policy if isinstance(policy, str) else policy.model.name_or_path or "given in Python"
    config = change_config(base, settings)
    session = _Session(
        config,
        build_task(config),
        load_policy(config.policy, config.trust_remote_code) if isinstance(policy, str) else policy,
        reward_funcs,
    )
    return session.run(show_progress=show_progress)


def evaluate(
    policy: str | CausalLMPolicy,
    task: Task,
    *,
    splits: Sequence[str] = (),
    items: int = 200,
    max_completion_length: int = 64,
    reward_funcs: Callable[..., Any] | Sequence[Callable[..., Any]] | None = None,
) -> Evaluation:
    """One greedy attempt at each of the first `items` items of the task's evaluation splits (or of `splits`)."""
    loaded = load_policy(policy) if isinstance(policy, str) else policy
    feedback = _feedback(task, reward_funcs)
    engine = LocalEngine(loaded)
    return {
        split: evaluate_split(engine, feedback, task.items(split)[:items], max_completion_length, split)
        for split in splits or task.eval_splits
    }


def load_policy(path: str, trust_remote_code: bool = False) -> CausalLMPolicy:
    """``pocket``, a run folder (its trained policy), a model folder or a hub id."""
    if path == "pocket":
        return CausalLMPolicy.load(str(MODEL_FOLDER))
    trained = Path(path) / POLICY
    return CausalLMPolicy.load(str(trained if trained.is_dir() else path), trust_remote_code=trust_remote_code)


def run(config: RunConfig, *, resume: Path | None = None, show_progress: bool = True) -> Result:
    """`backsight train`: a new run, or one that goes on from its newest checkpoint."""
    task = presets.get(config.preset).task(config)
    if resume is None:
        return _Session(config, task, load_policy(config.policy, config.trust_remote_code)).run(
            show_progress=show_progress
        )
    checkpoint = newest_checkpoint(RunReader(resume).checkpoints)
    policy = CausalLMPolicy.load(str(checkpoint), trust_remote_code=config.trust_remote_code)
    return _Session(config, task, policy).run(show_progress=show_progress, checkpoint=checkpoint)


def evaluate_config(config: RunConfig) -> Evaluation:
    """`backsight evaluate`."""
    task = presets.get(config.preset).task(config)
    policy = load_policy(config.policy, config.trust_remote_code)
    return evaluate(policy, task, items=config.eval_items, max_completion_length=config.max_completion_length)


def check_config(config: RunConfig) -> list[tuple[str, str]]:
    """`backsight check`: name and outcome of each check; what fails raises.

    Raises:
        DataError: a gold answer does not get full marks, or a prompt is too long.
        ModelError: sampler and learner disagree about the probability of what was sampled.
    """
    task = presets.get(config.preset).task(config)
    graded = {split: task.validate(split) for split in (task.train_split, *task.eval_splits)}
    policy = load_policy(config.policy, config.trust_remote_code)
    _check_prompts(policy, task, config)
    largest = sampler_learner_difference(policy, LocalEngine(policy), task, config)
    return [
        *((f"gold answers of {split}", f"{count} score full marks") for split, count in graded.items()),
        ("prompts", f"leave room for {config.max_completion_length} tokens"),
        ("sampler and learner", f"log-probabilities differ by at most {largest:.1e}"),
    ]


class _Session:
    """A configuration with everything it names in place."""

    def __init__(
        self,
        config: RunConfig,
        task: Task,
        policy: CausalLMPolicy,
        reward_funcs: Callable[..., Any] | Sequence[Callable[..., Any]] | None = None,
    ) -> None:
        self.config, self.task, self.policy = config, task, policy
        self.engine = LocalEngine(policy)
        # one step off, attempts are sampled while the weights change: it takes weights of its own
        self.sampler = LocalEngine(copy.deepcopy(policy)) if config.one_step_off else self.engine
        self.feedback = _feedback(task, reward_funcs)
        _check_prompts(policy, task, config)

    def run(self, *, show_progress: bool, checkpoint: Path | None = None) -> Result:
        """Evaluate, train, evaluate, save."""
        recorder = self._recorder(checkpoint)
        with TrainingProgress(self.config.hindsight.name, is_shown=show_progress) as bar:
            trainer = Trainer(
                self.policy,
                Experience(self.sampler, SingleTurn, self.task.items(self.task.train_split), self.feedback),
                methods.build(self.config.hindsight),
                self.config,
                recorders=[_RunLog(recorder, bar, self.config)],
                evaluate=lambda progress: self._score(recorder, progress),
                checkpoint_folder=recorder.checkpoints,
            )
            if checkpoint is None:
                before = self._evaluate(recorder, step=0)
            else:
                before = {}
                trainer.resume(checkpoint)
            reason = trainer.train()
        after = {} if trainer.progress.is_interrupted else self._evaluate(recorder, trainer.progress.step)
        self.policy.save(recorder.policy)
        return Result(self.policy, recorder.folder, reason, trainer.progress, before, after)

    def _recorder(self, checkpoint: Path | None) -> Recorder:
        config = self.config
        if checkpoint is None:
            return Recorder.create(
                Path(config.output_dir), config.run_name, config.default_run_name, dump_config(config)
            )
        step = int(checkpoint.name.removeprefix("step-"))
        return Recorder.reopen(checkpoint.parent.parent, step, dump_config(config))

    def _evaluate(self, recorder: Recorder, step: int) -> Evaluation:
        evaluation = {}
        for split in self.task.eval_splits:
            items = self.task.items(split)[: self.config.eval_items]
            scores = evaluate_split(self.engine, self.feedback, items, self.config.max_completion_length, split)
            recorder.add_evaluation(step, split, {name: asdict(each) for name, each in _named(scores).items()})
            evaluation[split] = scores
        return evaluation

    def _score(self, recorder: Recorder, progress: Progress) -> float:
        """What stop conditions look at: the mean reward on the first evaluation split."""
        return self._evaluate(recorder, progress.step)[self.task.eval_splits[0]].reward.mean


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


def _feedback(task: Task, reward_funcs: Callable[..., Any] | Sequence[Callable[..., Any]] | None) -> FeedbackSource:
    if reward_funcs is None:
        return TaskVerifier(task)
    return RewardFunctions([reward_funcs] if callable(reward_funcs) else list(reward_funcs))


def _constant(task: Task) -> Callable[[RunConfig], Task]:
    return lambda config: task


def _check_prompts(policy: CausalLMPolicy, task: Task, config: RunConfig) -> None:
    for split in (task.train_split, *task.eval_splits):
        for item in task.items(split)[:CHECKED_PROMPTS]:
            policy.check_prompt(item.prompt, config.max_completion_length)
