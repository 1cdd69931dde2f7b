"""`instructions`: sentences under several constraints, on the pocket model, offline."""

from __future__ import annotations

from backsight.config import RunConfig
from backsight.hindsight.config_prompt import RelabelConfig
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
        learning_rate=7e-4,
        lr_scheduler_type="cosine",
        warmup_steps=3,
        num_generations=8,
        prompts_per_step=64,
        mini_batches=8,
        micro_batch_size=2048,
        max_completion_length=24,
        stop=StopConfig(max_seconds=120),
    )
    return Preset("instructions", "write a sentence that obeys several constraints at once", config, _task)


def _task(config: RunConfig) -> Task:
    return InstructionsTask()
