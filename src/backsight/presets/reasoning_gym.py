"""`reasoning-gym:NAME`: a task of reasoning-gym, with options after commas: `reasoning-gym:chain_sum,max_terms=3`."""

from __future__ import annotations

from backsight.config import RunConfig
from backsight.hindsight.options import OutcomeOptions
from backsight.presets.base import START, Preset
from backsight.presets.options import parse_name
from backsight.tasks.base import Task
from backsight.tasks.reasoning_gym import ReasoningGymTask, check_dataset


def reasoning_gym(name: str) -> Preset:
    """Make the preset of a task of reasoning-gym. Most are too long and too hard for a small model: set `policy`.

    Raises:
        ConfigError: when reasoning-gym is not installed, or has no such task or option.
    """
    dataset, options = parse_name("reasoning-gym", name)
    check_dataset(dataset, options)
    preset = f"reasoning-gym:{name}"
    config = RunConfig(preset=preset, hindsight=OutcomeOptions(), max_completion_length=64, **START)

    def make_task(config: RunConfig) -> Task:
        return ReasoningGymTask(dataset, options=options)

    return Preset(preset, "a task of reasoning-gym", config, make_task)
