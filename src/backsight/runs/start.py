"""The start of every run: the task, policy, engine and feedback that a configuration names, each made once.

Training, evaluation, comparison and checks begin here. Only this module opens a policy. The prompts of the task are
checked, and shortened if that is allowed, so that each leaves room for a completion.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from backsight.config import RunConfig
from backsight.errors import ConfigError, DataError, ModelError, shown
from backsight.evaluation.likelihood import has_both_kinds
from backsight.feedback.asking import ask, patience
from backsight.feedback.reward_functions import RewardFunctions
from backsight.policies import adapters, footprint
from backsight.policies.chat import MESSAGES, takes_system
from backsight.policies.config import AdapterConfig
from backsight.policies.gguf import ENDING, convert, storage_of
from backsight.policies.opening import open_policy
from backsight.policies.text import TextPolicy
from backsight.registry import Registry
from backsight.reports.run_folder import POLICY
from backsight.rollouts.base import Engine
from backsight.tasks.base import Item, Task, draw_indices
from backsight.tasks.forms import PromptForm
from backsight.tasks.questions import QuestionTask
from backsight.types import EnvironmentFactory, FeedbackSource, Observation, is_chat

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
    """The engine, which acts with the policy's own weights."""
    feedback: FeedbackSource
    cut: str | None = None
    """Message to the user about prompts that were cut; None if none were."""
    examples: str | None = None
    """Message to the user about solved examples that left no room; None if there is nothing to say."""
    storage: str | None = None
    """Message to the user about weights that were stored in another form; None if they were not."""
    adapter: str | None = None
    """Message to the user about an adapter that memory asked for; None if there is none."""

    @property
    def messages(self) -> list[str]:
        """All messages to the user."""
        return [
            each
            for each in (self.storage, self.adapter, *self.task.remarks, self.examples, self.cut)
            if each is not None
        ]

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
    storage = None
    # a checkpoint has an adapter, or trains all weights, since its run began
    is_open = splits is None and (not isinstance(policy, str) or policy == config.policy)
    if policy is None or isinstance(policy, str):
        storage = storage_of(place_of_policy(policy or config.policy))
        policy = open_model(policy or config.policy, config, task)
    adapter = _decide_on_adapter(policy, config) if is_open else None
    counts: dict[str, int | None] = {task.train_split: None} if splits is None else {}
    counts |= dict.fromkeys(splits or task.eval_splits, config.eval_items)
    with patience(config.reward_timeout):  # a task may be anybody's code
        task, examples, cut = _write_prompts(task, config, [policy, *beside], counts)
    if splits is None:
        _check_scores(task, config)
    if splits is None and config.hindsight.needs_gold_answers:
        _check_gold_answers(task, config.hindsight.label)
    return RunParts(
        config=config,
        task=task,
        policy=policy,
        engine=config.engine.build(policy, own_weights=False),
        feedback=feedback or _feedback(task, reward_funcs),
        cut=cut,
        examples=examples,
        storage=storage,
        adapter=adapter,
    )


def _write_prompts(
    task: Task, config: RunConfig, policies: Sequence[TextPolicy], counts: Mapping[str, int | None]
) -> tuple[Task, str | None, str | None]:
    """Return the task with prompts in the form of the run that fit, and messages about examples and about cuts.

    Solved examples that nobody asked for are left out where they leave no room.

    Raises:
        BacksightError: as `in_form` and `fit_prompts`.
    """

    def write(shots: int | None) -> tuple[Task, str | None]:
        form = ask(f"task '{task.name}', in_form", "mend the task", in_form, task, policies[0], config, shots)
        truncate = config.long_prompts == "truncate"
        return fit_prompts(form, policies, config.max_completion_length, counts, truncate=truncate)

    try:
        return (written := write(config.shots))[0], None, written[1]
    except DataError:
        if config.shots is not None or not isinstance(task, QuestionTask):
            raise
    bare, cut = write(0)
    return bare, "shots: solved examples leave no room in the prompts, so none are shown", cut


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


def in_form(task: Task, policy: TextPolicy, config: RunConfig, shots: int | None) -> Task:
    """Return the task with prompts in the form that the configuration and the policy want.

    Raises:
        ConfigError: when a setting of the form does not fit the task or the policy.
    """
    has_template = policy.tokenizer.chat_template is not None and policy.kind != "classifier"
    if config.prompt_format == "chat" and not has_template:
        raise ConfigError("prompt_format", "chat", "the policy has no chat template; set prompt_format=plain")
    is_chat = has_template and config.prompt_format != "plain"
    if config.system_prompt is not None and not is_chat:
        remedy = "there are no chat messages for it; put it into instruction, or take a policy with a chat template"
        raise ConfigError("system_prompt", config.system_prompt, remedy)
    return task.in_form(
        PromptForm(
            is_chat,
            is_chosen=config.prompt_format == "chat" or config.system_prompt is not None,
            instruction=config.instruction,
            system_prompt=config.system_prompt,
            shots=shots,
            takes_system=is_chat and takes_system(policy.tokenizer),
        )
    )


def _decide_on_adapter(policy: TextPolicy, config: RunConfig) -> str | None:
    """Put an adapter on a policy that is too large to train all of it, if the settings leave that open; say why."""
    if config.adapter is None or not config.adapter.is_left_open or adapters.has_adapter(policy.model):
        return None
    device = next(policy.module.parameters()).device
    cause = footprint.why_too_large(policy.model, footprint.available_bytes(device))
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


CHECKED_PROMPTS = 200
"""Number of prompts in a row, longest first, that have to fit for the rest to be taken to fit; the engine checks again
later."""


def fit_prompts(
    task: Task,
    policies: Sequence[TextPolicy],
    max_completion_length: int,
    splits: Mapping[str, int | None],
    *,
    truncate: bool,
) -> tuple[Task, str | None]:
    """Return the task with prompts that leave room for a completion of each policy, and a message to the user or None.

    `splits` says how many items of each split will be attempted; None: all. With `truncate`, a prompt that is too long
    is shortened as the task sees fit; the given task stays as it is. The message says how many prompts were cut.

    Raises:
        DataError: when a prompt is too long, and is not to be shortened or cannot be.
    """

    def fits(prompt: Observation) -> bool:
        try:
            return all(policy.fits(prompt, max_completion_length) for policy in policies)
        except DataError:  # a chat template refused it
            return False

    cut: dict[str, Sequence[Item]] = {}
    told: list[str] = []
    for split, count in splits.items():
        items = ask(f"task '{task.name}', items of {split}", "mend the task", task.items, split)
        if not isinstance(items, Sequence) or isinstance(items, str):
            raise DataError(f"task '{task.name}', items of {split}", shown(items), "return a list of items")
        if isinstance(items, list | tuple) and (wrong := [each for each in items if not isinstance(each, Item)]):
            raise DataError(f"task '{task.name}', items of {split}", shown(wrong[0]), "is no Item; make each an Item")
        # items that are made on demand are not all made for this check
        most = (count or len(items)) if isinstance(items, list | tuple) else CHECKED_PROMPTS
        attempted = {index: items[index] for index in draw_indices(len(items), most)}
        too_long = _too_long(attempted, fits)
        shortened = {index: task.shorten(attempted[index], fits) for index in too_long if truncate}
        refused = [index for index in too_long if shortened.get(index) is None]
        if refused:
            first = attempted[refused[0]]
            remedy = "" if truncate or task.shorten(first, fits) is None else ", or set long_prompts=truncate"
            share = f"{len(refused)} of {len(attempted)} items of {split}"
            _refuse(policies, max_completion_length, first, f"{split}/{first.id}", (remedy, share))
        if too_long:
            cut[split] = [shortened.get(index) or item for index, item in enumerate(items)]
            told.append(f"{len(too_long)} of {len(attempted)} items of {split}")
    if not cut:
        return task, None
    return task.with_items(cut), f"long_prompts=truncate: cut the prompts of {', '.join(told)}"


def _too_long(items: Mapping[int, Item], fits: Callable[[Observation], bool]) -> list[int]:
    """Return the indices of the items whose prompt does not fit, because it is too long or of a form that is refused.

    Of each form at least one prompt is looked at.
    """
    found: list[int] = []
    fitting: set[Any] = set()
    in_a_row = 0
    for index in sorted(items, key=lambda index: -len(str(items[index].prompt))):
        form = _form(items[index].prompt)
        if in_a_row >= CHECKED_PROMPTS and form in fitting:
            continue
        if fits(items[index].prompt):
            fitting.add(form)
            in_a_row += 1
        else:
            found.append(index)
            in_a_row = in_a_row if in_a_row >= CHECKED_PROMPTS else 0
    return sorted(found)


def _form(prompt: Observation) -> Any:
    """Return what a chat template may refuse: the roles of the messages and the names of their fields."""
    return tuple((each["role"], *sorted(each)) for each in prompt) if is_chat(prompt) else None


def _refuse(
    policies: Sequence[TextPolicy], max_completion_length: int, item: Item, place: str, words: tuple[str, str]
) -> None:
    """Raise the policy's error about the prompt, with the place; `words` are a further remedy, and how many fail."""
    remedy, share = words
    for policy in policies:
        try:
            policy.check_prompt(item.prompt, max_completion_length)
        except DataError as error:
            if error.field == MESSAGES:
                remedy = f"{error.remedy}; {share} are refused; see system_prompt and prompt_format"
                raise DataError(f"{place}.prompt", error.value, remedy) from error
            if error.field != "prompt":  # no prompt would fit
                raise
            remedy = f"{error.remedy}{remedy} ({share} are too long)"
            raise DataError(f"{place}.prompt", error.value, remedy) from error
