"""Fine-tune and evaluate language models: what `backsight.finetune`, `backsight.evaluate` and the command line call."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backsight.config import RunConfig, change_config
from backsight.evaluation.agreement import sampler_learner_difference
from backsight.feedback.base import FeedbackSource
from backsight.hindsight.config import OutcomeConfig
from backsight.pocket.folder import MODEL_FOLDER
from backsight.policies import adapters
from backsight.policies.config import AdapterConfig
from backsight.policies.opening import open_policy
from backsight.policies.text import TextPolicy
from backsight.presets import catalogue as presets
from backsight.reports.reader import POLICY, RunReader
from backsight.rollouts.engines import engine_for
from backsight.session import Evaluation, Result, Session, attempted_items, check_prompts, evaluated, feedback_of
from backsight.tasks.base import Task
from backsight.training.checkpoints import newest_checkpoint
from backsight.training.config import StopConfig


def finetune(
    policy: str | TextPolicy,
    task: str | Task,
    *,
    reward_funcs: Callable[..., Any] | Sequence[Callable[..., Any]] | None = None,
    feedback: FeedbackSource | None = None,
    show_progress: bool = True,
    **settings: Any,
) -> Result:
    """Fine-tune a language model on a task; the settings are those of `RunConfig`, by name.

    `policy` is ``"pocket"``, a model folder, a hub id or a loaded policy; `task` the name of a preset or a `Task`. With
    an adapter, a loaded policy has one afterwards; with adapter.merge, the sum.
    `reward_funcs`, written for TRL, replace the task's own judge, and so does `feedback`: a judge model, or several
    sources together (`backsight.feedback`).

        backsight.finetune("pocket", "instructions", hindsight="relabel", stop={"max_seconds": 60})

    Raises:
        BacksightError: a setting, the data, the model or a reward function does not fit.
    """
    settings["policy"] = policy if isinstance(policy, str) else policy.model.name_or_path or "given in Python"
    config, build_task = configured(task, settings)
    built = build_task(config)
    learner = _policy_of(config, built) if isinstance(policy, str) else policy
    if config.adapter is not None:
        adapters.put_on(learner.model, config.adapter)
    return Session(config, built, learner, reward_funcs, feedback).run(show_progress=show_progress)


def evaluate(
    policy: str | TextPolicy,
    task: Task,
    *,
    splits: Sequence[str] = (),
    items: int = 200,
    reward_funcs: Callable[..., Any] | Sequence[Callable[..., Any]] | None = None,
    **settings: Any,
) -> Evaluation:
    """One greedy attempt at each of the first `items` items of the task's evaluation splits (or of `splits`).

    Settings are those of `RunConfig`, by name, as far as they concern an attempt: `max_completion_length` and
    `min_completion_length`, `stop_strings`, and `long_prompts`. How many prompts were cut is said in a warning.

        backsight.evaluate("runs/mine", task, max_completion_length=48, long_prompts="truncate")

    Raises:
        BacksightError: a setting, the model, a prompt or a reward function does not fit.
    """
    config, _ = configured(task, settings)
    loaded = _policy_of(config, task, policy) if isinstance(policy, str) else policy
    task, told = check_prompts([loaded], task, config, dict.fromkeys(splits or task.eval_splits, items))
    if told is not None:
        warnings.warn(told, stacklevel=2)
    return evaluated(engine_for(loaded), loaded, task, feedback_of(task, reward_funcs), config.sampling, items, splits)


def load_policy(
    path: str,
    *,
    labels: Sequence[str] = (),
    trust_remote_code: bool = False,
    adapter: AdapterConfig | None = None,
) -> TextPolicy:
    """``pocket``, a run folder (its trained policy), a model folder or a hub id.

    `labels` are what an answer may be, where the task has such a set: a classifier chooses from them. `adapter` is what
    to put on, unless there is one.
    """
    if path == "pocket":
        path = str(MODEL_FOLDER)
    trained = Path(path) / POLICY
    place = str(trained if trained.is_dir() else path)
    return open_policy(place, labels=labels, trust_remote_code=trust_remote_code, adapter=adapter)


def _policy_of(config: RunConfig, task: Task, path: str | None = None) -> TextPolicy:
    return load_policy(
        path or config.policy, labels=task.labels, trust_remote_code=config.trust_remote_code, adapter=config.adapter
    )


def run(config: RunConfig, *, resume: Path | None = None, show_progress: bool = True) -> Result:
    """`backsight train`: a new run, or one that goes on from its newest checkpoint."""
    task = presets.get(config.preset).task(config)
    if resume is None:
        return Session(config, task, _policy_of(config, task)).run(show_progress=show_progress)
    checkpoint = newest_checkpoint(RunReader(resume).checkpoints)
    policy = _policy_of(config, task, str(checkpoint))
    return Session(config, task, policy).run(show_progress=show_progress, checkpoint=checkpoint)


def check_config(config: RunConfig) -> list[tuple[str, str]]:
    """`backsight check`: name and outcome of each check; what fails raises.

    Raises:
        DataError: a gold answer does not get full marks, or a prompt is too long.
        ModelError: sampler and learner disagree about the probability of what was sampled.
    """
    task = presets.get(config.preset).task(config)
    policy = _policy_of(config, task)
    task, told = check_prompts([policy], task, config, attempted_items(task, config))
    graded = {split: task.validate(split) for split in (task.train_split, *task.eval_splits)}
    largest = sampler_learner_difference(policy, engine_for(policy), task, config)
    return [
        *((f"gold answers of {split}", f"{count} score full marks") for split, count in graded.items()),
        ("prompts", told or f"leave room for {config.max_completion_length} tokens"),
        ("sampler and learner", f"log-probabilities differ by at most {largest:.1e}"),
    ]


def configured(task: str | Task, settings: Mapping[str, Any]) -> tuple[RunConfig, Callable[[RunConfig], Task]]:
    """The configuration with these settings, and what makes the task of it: a preset by name, or a task of one's own.

    Raises:
        ConfigError: there is no such preset, or a setting does not fit.
    """
    if isinstance(task, str):
        preset = presets.get(task)
        return preset.configured(settings), preset.task
    base = RunConfig(preset=task.name, policy="pocket", hindsight=OutcomeConfig(), stop=StopConfig(max_steps=200))
    return change_config(base, settings), lambda config: task
