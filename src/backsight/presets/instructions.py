"""`instructions`: sentences under several constraints, on the pocket model, offline."""

from __future__ import annotations

from backsight.config import RunConfig
from backsight.hindsight.config import RelabelConfig
from backsight.pocket.instructions import InstructionsTask
from backsight.presets.base import Preset
from backsight.tasks.base import Task
from backsight.training.config import StopConfig


def instructions() -> Preset:
    """The settings are the best of the sweep in docs/log.md."""
    config = RunConfig(
        preset="instructions",
        policy="pocket",
        hindsight=RelabelConfig(),
        algorithm="rloo",
        learning_rate=1e-3,
        num_generations=8,
        prompts_per_step=32,
        max_completion_length=32,
        stop=StopConfig(max_seconds=120),
    )
    return Preset("instructions", "write a sentence that obeys several constraints at once", config, _task)


def _task(config: RunConfig) -> Task:
    return InstructionsTask()
