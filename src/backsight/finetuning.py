"""Fine-tune and evaluate language models: what `backsight.finetune`, `backsight.evaluate` and the command line call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from backsight.config import RunConfig, change_config
from backsight.evaluation.agreement import sampler_learner_difference
from backsight.feedback.base import FeedbackSource
from backsight.hindsight.config import OutcomeConfig
from backsight.pocket.folder import MODEL_FOLDER
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.presets import catalogue as presets
from backsight.reports.reader import POLICY, RunReader
from backsight.rollouts.local import LocalEngine
from backsight.session import Evaluation, Result, Session, check_prompts, evaluated, feedback_of
from backsight.tasks.base import Task
from backsight.training.checkpoints import newest_checkpoint
from backsight.training.config import StopConfig
from backsight.types import Sampling


def finetune(
    policy: str | CausalLMPolicy,
    task: str | Task,
    *,
    reward_funcs: Callable[..., Any] | Sequence[Callable[..., Any]] | None = None,
    feedback: FeedbackSource | None = None,
    show_progress: bool = True,
    **settings: Any,
) -> Result:
    """Fine-tune a language model on a task; the settings are those of `RunConfig`, by name.

    `policy` is ``"pocket"``, a model folder, a hub id or a loaded policy; `task` the name of a preset or a `Task`.
    `reward_funcs`, written for TRL, replace the task's own judge, and so does `feedback`: a judge model, or several
    sources together (`backsight.feedback`).

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
    session = Session(
        config,
        build_task(config),
        load_policy(config.policy, config.trust_remote_code) if isinstance(policy, str) else policy,
        reward_funcs,
        feedback,
    )
    return session.run(show_progress=show_progress)


def evaluate(
    policy: str | CausalLMPolicy,
    task: Task,
    *,
    splits: Sequence[str] = (),
    items: int = 200,
    max_completion_length: int = 64,
    min_completion_length: int = 0,
    stop_strings: Sequence[str] = (),
    reward_funcs: Callable[..., Any] | Sequence[Callable[..., Any]] | None = None,
) -> Evaluation:
    """One greedy attempt at each of the first `items` items of the task's evaluation splits (or of `splits`)."""
    loaded = load_policy(policy) if isinstance(policy, str) else policy
    sampling = Sampling(
        max_completion_length=max_completion_length,
        min_completion_length=min_completion_length,
        stop_strings=tuple(stop_strings),
    )
    return evaluated(LocalEngine(loaded), task, feedback_of(task, reward_funcs), sampling, items, splits)


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
        return Session(config, task, load_policy(config.policy, config.trust_remote_code)).run(
            show_progress=show_progress
        )
    checkpoint = newest_checkpoint(RunReader(resume).checkpoints)
    policy = CausalLMPolicy.load(str(checkpoint), trust_remote_code=config.trust_remote_code)
    return Session(config, task, policy).run(show_progress=show_progress, checkpoint=checkpoint)


def evaluate_config(config: RunConfig) -> Evaluation:
    """`backsight evaluate`."""
    task = presets.get(config.preset).task(config)
    policy = load_policy(config.policy, config.trust_remote_code)
    return evaluated(LocalEngine(policy), task, feedback_of(task, None), config.sampling, config.eval_items)


def check_config(config: RunConfig) -> list[tuple[str, str]]:
    """`backsight check`: name and outcome of each check; what fails raises.

    Raises:
        DataError: a gold answer does not get full marks, or a prompt is too long.
        ModelError: sampler and learner disagree about the probability of what was sampled.
    """
    task = presets.get(config.preset).task(config)
    graded = {split: task.validate(split) for split in (task.train_split, *task.eval_splits)}
    policy = load_policy(config.policy, config.trust_remote_code)
    check_prompts(policy, task, config)
    largest = sampler_learner_difference(policy, LocalEngine(policy), task, config)
    return [
        *((f"gold answers of {split}", f"{count} score full marks") for split, count in graded.items()),
        ("prompts", f"leave room for {config.max_completion_length} tokens"),
        ("sampler and learner", f"log-probabilities differ by at most {largest:.1e}"),
    ]


def _constant(task: Task) -> Callable[[RunConfig], Task]:
    return lambda config: task
