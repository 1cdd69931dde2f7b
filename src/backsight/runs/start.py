"""The start of every run: the task, policy, engine and feedback that a configuration names, each made once.

Training, evaluation, comparison and checks begin here. Only this module opens a policy.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from backsight.config import RunConfig
from backsight.distributed.ranks import ALONE, Ranks, connect
from backsight.errors import ConfigError, DataError, ModelError, shown
from backsight.evaluation.evaluator import Evaluation, evaluate_splits
from backsight.evaluation.likelihood import has_both_kinds
from backsight.feedback.asking import ask, patience
from backsight.feedback.reward_functions import RewardFunctions
from backsight.interfaces import EnvironmentFactory, FeedbackSource
from backsight.policies import adapters, footprint
from backsight.policies.config import AdapterConfig
from backsight.policies.gguf import ENDING, convert, storage_of
from backsight.policies.opening import open_policy
from backsight.policies.text import TextPolicy
from backsight.registry import Registry
from backsight.reports.run_folder import POLICY
from backsight.reports.trackers.base import check_installed
from backsight.rollouts.base import Engine
from backsight.rollouts.in_process import InProcessEngine
from backsight.runs.prompts import write_prompts
from backsight.tasks.base import Item, Task

RewardFuncs = Callable[..., Any] | Sequence[Callable[..., Any]]
"""One or more reward functions, as they are written for TRL."""

PolicyChoice = str | os.PathLike[str] | TextPolicy
"""The name of a model, the path of a model or run folder, a hub id, or a loaded policy."""

DEFAULT_POLICY = "pocket"

MODELS: Registry[Callable[[], str]] = Registry(
    "backsight.policies", "policy", {"smollm2": "backsight.policies.smollm2:find"}
)
"""Models that are known by a name. Each is a function that returns the folder in which the model lies."""


@dataclass(frozen=True, slots=True)
class RunParts:
    """The parts of a run, as its configuration names them."""

    config: RunConfig
    task: Task
    """The task, with prompts that leave room for a completion."""
    policy: TextPolicy
    engine: Engine
    """The engine; see `loaded_engine`."""
    feedback: FeedbackSource
    cut: str | None = None
    """Message to the user about prompts that were cut; None if none were."""
    examples: str | None = None
    """Message to the user about solved examples that left no room; None if there is nothing to say."""
    storage: str | None = None
    """Message to the user about weights that were stored in another form; None if they were not."""
    adapter: str | None = None
    """Message to the user about an adapter that memory asked for; None if there is none."""
    ranks: Ranks = ALONE
    """The processes that learn together with this one."""

    @property
    def messages(self) -> list[str]:
        """All messages to the user."""
        return [
            each
            for each in (self.storage, self.adapter, *self.task.remarks, self.examples, self.cut)
            if each is not None
        ]

    def loaded_engine(self) -> Engine:
        """Return the engine, after it has taken over the weights that the policy has now."""
        self.engine.load_weights(self.policy)
        return self.engine

    def evaluate(self, splits: Sequence[str] = (), num_items: int | None = None, num_samples: int = 1) -> Evaluation:
        """Evaluate the policy as it is now; see `evaluate_splits`. None takes as many items as the configuration says.

        Foreign code may take as long as it may in training.
        """
        count = self.config.eval_items if num_items is None else num_items
        with patience(self.config.reward_timeout):
            return evaluate_splits(
                self.loaded_engine(),
                self.task,
                self.environments,
                self.feedback,
                self.config.sampling,
                count,
                splits,
                num_samples,
            )

    @property
    def environments(self) -> EnvironmentFactory:
        """A function from an item of the task to an episode, which is cut off when its next prompt leaves no room."""
        fits = partial(self.policy.fits, max_completion_length=self.config.max_completion_length)
        return partial(self.task.episode, fits=fits)


def begin(
    config: RunConfig,
    task: Task,
    policy: str | TextPolicy | None = None,
    *,
    beside: Sequence[TextPolicy] = (),
    splits: Sequence[str] | None = None,
    reward_funcs: RewardFuncs | None = None,
    feedback: FeedbackSource | None = None,
) -> RunParts:
    """Put everything in place that a run needs.

    Args:
        config: the settings of the run.
        task: the task of the run; see `make_task`.
        policy: a loaded policy, or the path of one; None: the one that the configuration names.
        beside: other policies that the same prompts have to fit.
        splits: splits that are evaluated; None: all evaluation splits, and the train split as well.
        reward_funcs: reward functions that replace the task's own judge.
        feedback: a source of feedback that replaces both.

    Raises:
        BacksightError: when the model, a prompt or a reward function does not fit.
    """
    check_installed(config.report_to)
    ranks = connect() if splits is None else ALONE  # before a model is opened: each rank has a device of its own
    storage = None
    # a checkpoint has an adapter, or trains all weights, since its run began
    is_open = splits is None and (not isinstance(policy, str) or policy == config.policy)
    if policy is None or isinstance(policy, str):
        storage = storage_of(place_of_policy(policy or config.policy))
        policy = open_model(policy or config.policy, config, task)
    adapter = _decide_on_adapter(policy, config, ranks) if is_open else None
    counts: dict[str, int | None] = {task.train_split: None} if splits is None else {}
    counts |= dict.fromkeys(splits or task.eval_splits, config.eval_items)
    with patience(config.reward_timeout):  # a task may be anybody's code
        task, examples, cut = write_prompts(task, config, [policy, *beside], counts)
    if splits is None:
        _check_scores(task, config)
    if splits is None and config.hindsight.needs_gold_answers:
        _check_gold_answers(task, config.hindsight.label)
    engine = config.engine.build(policy)
    if ranks.size > 1 and isinstance(engine, InProcessEngine):
        engine.try_out()
    if ranks.size > 1 and config.max_staleness and "act as" not in engine.capabilities:
        remedy = f"{ranks.size} ranks wait for each other before a server samples; leave it out, or torchrun"
        raise ConfigError("max_staleness", config.max_staleness, remedy)
    return RunParts(
        config=config,
        task=task,
        policy=policy,
        engine=engine,
        feedback=feedback or _feedback(task, reward_funcs),
        cut=cut,
        examples=examples,
        storage=storage,
        adapter=adapter,
        ranks=ranks,
    )


def choose_policy(policy: PolicyChoice) -> tuple[str | TextPolicy, str]:
    """Return a policy as `begin` takes it, a path as text, and what its run calls it.

    Raises:
        ModelError: when it is neither.
    """
    if isinstance(policy, str | os.PathLike):
        return os.fspath(policy), os.fspath(policy)
    if not isinstance(policy, TextPolicy):
        raise ModelError("policy", type(policy).__name__, "give the path of a model, or a policy from open_policy")
    return policy, policy.model.name_or_path or "given in Python"


def open_model(path: str, config: RunConfig, task: Task) -> TextPolicy:
    """Open the policy at `path`, with the adapter of the configuration and the labels of the task."""
    adapter = None if config.adapter is None or config.adapter.is_left_open else config.adapter
    policy = load_policy(path, labels=task.labels, trust_remote_code=config.trust_remote_code, adapter=adapter)
    policy.chat_template_kwargs = config.chat_template_kwargs
    return policy


def _decide_on_adapter(policy: TextPolicy, config: RunConfig, ranks: Ranks) -> str | None:
    """Put an adapter on a policy that is too large to train all of it, if the settings leave that open; say why."""
    if config.adapter is None or not config.adapter.is_left_open or adapters.has_adapter(policy.model):
        return None
    device = next(policy.module.parameters()).device
    cause = ranks.agree(footprint.why_too_large(policy.model, footprint.available_bytes(device)))
    if cause is None:
        return None
    adapters.put_on(policy.model, AdapterConfig())
    return f"adapter=auto: {cause}; LoRA is trained instead, which wants about ten times the learning rate"


def load_policy(
    path: str,
    *,
    labels: Sequence[str] | None = (),
    trust_remote_code: bool = False,
    adapter: AdapterConfig | None = None,
) -> TextPolicy:
    """Open a model by its name, a run folder (its trained policy), a model folder or a hub id.

    `labels` are the possible answers of a task that has such a set: a classifier chooses from them; None takes its own.
    `adapter` is put on the model, unless it has one.

    Raises:
        BacksightError: when there is no such model, or it does not load.
    """
    return open_policy(place_of_policy(path), labels=labels, trust_remote_code=trust_remote_code, adapter=adapter)


def place_of_policy(path: str) -> str:
    """Return the folder or hub id of a model: of a run folder its trained policy, of a GGUF file what it converts to.

    A known name goes before a folder of that name, which is meant by ``./NAME``.

    Raises:
        ConfigError: when a model known by name is not installed.
        ModelError: when a GGUF file cannot be converted.
    """
    trained = Path(path) / POLICY
    if trained.is_dir():
        return str(trained)
    if path in MODELS.names():
        return MODELS.find(path)()
    if path.endswith(ENDING):
        return convert(path)
    if path == DEFAULT_POLICY and not Path(path).exists():
        remedy = "is not installed; pip install backsight-pocket (here: pip install ./pocket), or set policy=FOLDER"
        raise ConfigError("policy", path, remedy)
    return path


def _feedback(task: Task, reward_funcs: RewardFuncs | None) -> FeedbackSource:
    if reward_funcs is None:
        return ask(f"task '{task.name}', feedback", "mend the task", task.feedback)
    return functions_as_source(reward_funcs)


def functions_as_source(reward_funcs: RewardFuncs) -> RewardFunctions:
    """Return one reward function, or a list of them, as a source of feedback.

    Raises:
        ConfigError: when they are no functions.
    """
    if callable(reward_funcs):
        return RewardFunctions([reward_funcs])
    if not isinstance(reward_funcs, Sequence) or isinstance(reward_funcs, str):
        raise ConfigError("reward_funcs", shown(reward_funcs), "give a function, or a list of functions")
    return RewardFunctions(reward_funcs)


def can_be_scored(task: Task, turns: Sequence[Item]) -> bool:
    """Return whether there is anything to score: items of a split, or recorded turns of two kinds."""
    return bool(task.eval_splits) or (bool(turns) and has_both_kinds(turns))


def _check_scores(task: Task, config: RunConfig) -> None:
    """Raise `ConfigError` when a setting looks at scores and there is nothing to score."""
    wanted = {"keep_best": config.keep_best, "stop.target": config.stop.target, "stop.patience": config.stop.patience}
    for field, value in wanted.items():
        if value and not can_be_scored(task, task.recorded_turns()):
            raise ConfigError(field, value, f"task '{task.name}' has no split to evaluate; leave it out")


def _check_gold_answers(task: Task, method: str) -> None:
    """Raise `DataError` when items to train on have no gold answer; those that are made on demand are not looked at."""
    items = task.items(task.train_split)
    lacking = [item for item in items if item.target is None] if isinstance(items, list | tuple) else []
    if lacking:
        remedy = f"{method} needs a gold answer in every row; {len(lacking)} of {len(items)} have none"
        raise DataError(f"{task.train_split}/{lacking[0].id}.target", None, remedy)
