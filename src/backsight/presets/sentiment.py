"""`sentiment`: a text in, its label out, on rows with the columns `text` and `label`."""

from __future__ import annotations

from backsight.config import RunConfig
from backsight.errors import ConfigError
from backsight.hindsight.config import OutcomeConfig
from backsight.presets.base import Preset
from backsight.tasks.base import Task
from backsight.tasks.sentiment import SentimentTask
from backsight.training.config import StopConfig


def sentiment() -> Preset:
    """Short completions, so many attempts; a label that is wrong for a text cannot be relabelled."""
    config = RunConfig(
        preset="sentiment",
        policy="pocket",
        hindsight=OutcomeConfig(),
        algorithm="rloo",
        learning_rate=1e-4,
        num_generations=8,
        prompts_per_step=32,
        max_completion_length=8,
        stop=StopConfig(max_steps=200),
    )
    return Preset("sentiment", "label a text", config, _task)


def _task(config: RunConfig) -> Task:
    if config.data is None:
        raise ConfigError("data", None, "sentiment needs rows with 'text' and 'label'; set data=PATH")
    return SentimentTask(config.data, test=config.eval_data, ood=config.ood_data)
