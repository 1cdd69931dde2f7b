"""Whether the prompts of a task leave room for an attempt, and what becomes of those that do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from backsight.errors import DataError
from backsight.policies.text import TextPolicy
from backsight.tasks.base import Item, Task
from backsight.types import Observation

CHECKED_PROMPTS = 200
"""The longest come first, and when so many in a row leave room, so will the others; the engine checks again later."""


def prepared(
    task: Task,
    policies: Sequence[TextPolicy],
    max_completion_length: int,
    splits: Mapping[str, int | None],
    *,
    truncate: bool,
) -> tuple[Task, str | None]:
    """The task with prompts that leave room for a completion of each policy, and what to tell people of it.

    `splits` says how many items of each are going to be attempted; None: all. With `truncate`, a prompt that is too
    long is shortened as the task sees fit; the given task stays as it is.

    Raises:
        DataError: a prompt is too long, and is not to be shortened or cannot be.
    """

    def fits(prompt: Observation) -> bool:
        return all(policy.fits(prompt, max_completion_length) for policy in policies)

    cut: dict[str, Sequence[Item]] = {}
    told: list[str] = []
    for split, count in splits.items():
        items = task.items(split)
        # those that are made on demand are not all made for this
        attempted = items[: count if isinstance(items, list | tuple) else CHECKED_PROMPTS]
        too_long = _too_long(attempted, fits)
        shortened = {index: task.shortened(attempted[index], fits) for index in too_long if truncate}
        refused = [index for index in too_long if shortened.get(index) is None]
        if refused:
            first = attempted[refused[0]]
            remedy = "" if truncate or task.shortened(first, fits) is None else ", or set long_prompts=truncate"
            share = f"{len(refused)} of {len(attempted)} items of {split} are too long"
            _refuse(policies, max_completion_length, first, f"{split}/{first.id}", f"{remedy} ({share})")
        if too_long:
            cut[split] = [shortened.get(index) or item for index, item in enumerate(items)]
            told.append(f"{len(too_long)} of {len(attempted)} items of {split}")
    if not cut:
        return task, None
    return task.with_items(cut), f"long_prompts=truncate: cut the prompts of {', '.join(told)}"


def _too_long(items: Sequence[Item], fits: Callable[[Observation], bool]) -> list[int]:
    """Their indices."""
    found, in_a_row = [], 0
    for index in sorted(range(len(items)), key=lambda index: -len(str(items[index].prompt))):
        if fits(items[index].prompt):
            in_a_row += 1
        else:
            found.append(index)
            in_a_row = 0
        if in_a_row == CHECKED_PROMPTS:
            break
    return sorted(found)


def _refuse(policies: Sequence[TextPolicy], max_completion_length: int, item: Item, place: str, remedy: str) -> None:
    """Raise what the policy has to say of the prompt, with the place and the remedy."""
    for policy in policies:
        try:
            policy.check_prompt(item.prompt, max_completion_length)
        except DataError as error:
            if error.field != "prompt":  # no prompt would do
                raise
            raise DataError(f"{place}.prompt", error.value, f"{error.remedy}{remedy}") from error
