"""What presets on users' rows share: a task made of the data files, and settings to start from."""

from __future__ import annotations

from functools import partial

from backsight.config import RunConfig
from backsight.errors import ConfigError
from backsight.hindsight.config import OutcomeConfig
from backsight.presets.base import Preset
from backsight.tasks.base import Task
from backsight.tasks.rows import FileTask
from backsight.training.config import StopConfig


def rows_preset(
    name: str, summary: str, task: type[FileTask], columns: tuple[str, str], max_completion_length: int
) -> Preset:
    """Plain reinforcement learning on rows that have these columns."""
    config = RunConfig(
        preset=name,
        policy="pocket",
        hindsight=OutcomeConfig(),
        algorithm="rloo",
        learning_rate=1e-4,
        num_generations=8,
        prompts_per_step=32,
        max_completion_length=max_completion_length,
        stop=StopConfig(max_steps=200),
    )
    return Preset(name, summary, config, partial(_task, task, columns))


def _task(task: type[FileTask], columns: tuple[str, str], config: RunConfig) -> Task:
    if config.data is None:
        one, other = columns
        raise ConfigError("data", None, f"{config.preset} needs rows with '{one}' and '{other}'; set data=PATH")
    return task(config.data, test=config.eval_data, ood=config.ood_data)
