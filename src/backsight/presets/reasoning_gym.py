"""`reasoning-gym:NAME`: a task of reasoning-gym, with options behind commas: `reasoning-gym:chain_sum,max_terms=3`."""

from __future__ import annotations

from functools import partial

from backsight.config import RunConfig
from backsight.hindsight.config import OutcomeConfig
from backsight.presets.base import START, Preset
from backsight.tasks.base import Task
from backsight.tasks.reasoning_gym import ReasoningGymTask, check_dataset, parsed_name

PREFIX = "reasoning-gym:"


def reasoning_gym(name: str) -> Preset:
    """Settings to start from; most questions are too long and too hard for the pocket model: name a `policy`.

    Raises:
        ConfigError: reasoning-gym is not installed, or has no such task or option.
    """
    check_dataset(*parsed_name(name.removeprefix(PREFIX)))
    config = RunConfig(
        preset=name,
        policy="pocket",
        hindsight=OutcomeConfig(),
        max_completion_length=64,
        **START,
    )
    return Preset(name, "a task of reasoning-gym", config, partial(_task, name))


def _task(name: str, config: RunConfig) -> Task:
    dataset, options = parsed_name(name.removeprefix(PREFIX))
    return ReasoningGymTask(dataset, options=options)
