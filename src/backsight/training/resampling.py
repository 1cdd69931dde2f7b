"""Dynamic sampling: prompts that taught nothing are made up for by others, within the same step.

DAPO (Yu 2025, arXiv:2503.14476, section 3.2) samples until the batch is full of groups whose rewards differ. Here the
hindsight method has looked at a group before it counts as silent: what a method makes of failures is a lesson as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backsight.hindsight.base import LookBack
from backsight.training.config import TrainingConfig
from backsight.training.objective import teaches
from backsight.training.weights import is_left_out
from backsight.types import Example, Group

TryOthers = Callable[[int, int, Sequence[Group]], LookBack | None]
"""A function from the number of a round, the number of prompts it is to try, and the groups of the step so far to what
came of them; None when no more attempts are paid for."""


def fill_up(looked: LookBack, try_others: TryOthers, config: TrainingConfig) -> tuple[LookBack, dict[str, float]]:
    """Try other prompts until `prompts_per_step` groups taught something, for `max_resample_rounds` rounds at most.

    Return all groups of the step, the examples of those that taught something, and metrics:
    ``dynamic_sampling/rounds``, ``dynamic_sampling/groups_with_signal`` and ``dynamic_sampling/groups``, all that were
    sampled.
    """
    groups, rounds = list(looked.groups), 0
    examples, num_taught = find_lessons(looked, config)
    while rounds < config.max_resample_rounds and num_taught < config.prompts_per_step:
        others = try_others(rounds + 1, config.prompts_per_step - num_taught, groups)
        if others is None:
            break
        rows, count = find_lessons(others, config)
        groups += others.groups
        examples += rows
        num_taught, rounds = num_taught + count, rounds + 1
    counts = {"rounds": rounds, "groups_with_signal": num_taught, "groups": len(groups)}
    return LookBack(groups, examples), {f"dynamic_sampling/{name}": float(count) for name, count in counts.items()}


def find_lessons(looked: LookBack, config: TrainingConfig) -> tuple[list[Example], int]:
    """Return the examples without those of groups that taught nothing, and how many groups taught something.

    A group taught something if one of its examples has an advantage, a weight for imitation or one for a teacher, and
    is not left out of the loss. An example is of the group of its attempt, or else of the group with its prompt; one
    that is of no group is kept.
    """
    places = [_place(each, looked.groups) for each in looked.examples]
    pairs = list(zip(places, looked.examples, strict=True))
    taught = {place for place, each in pairs if place is not None and teaches(each) and not is_left_out(each, config)}
    return [each for place, each in pairs if place is None or place in taught], len(taught)


def _place(example: Example, groups: Sequence[Group]) -> int | None:
    """Return the number of the group that an example is of; None if it is of none."""
    if example.trajectory is not None and example.trajectory.key is not None:
        return example.trajectory.key.group
    asked = (number for number, group in enumerate(groups) if _asks(group, example))
    return next(asked, None)


def _asks(group: Group, example: Example) -> bool:
    return any(each.prompts[0] is example.prompts[0] for each in group.trajectories)
