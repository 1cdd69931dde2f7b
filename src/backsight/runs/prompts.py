"""The prompts of a run: written in the form that its settings and its policy want, and checked to leave room.

Each has to leave room for a completion; those that do not are shortened if that is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backsight.config import RunConfig
from backsight.errors import ConfigError, DataError, shown
from backsight.feedback.asking import ask
from backsight.policies.chat import MESSAGES, takes_system
from backsight.policies.text import TextPolicy
from backsight.tasks.base import Item, Task, draw_indices
from backsight.tasks.forms import PromptForm
from backsight.tasks.questions import QuestionTask
from backsight.types import Observation, is_chat

CHECKED_PROMPTS = 200
"""Number of prompts in a row, longest first, that have to fit for the rest to be taken to fit; the engine checks again
later."""


def write_prompts(
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
            takes_system=not is_chat or takes_system(policy.tokenizer),
        )
    )


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
