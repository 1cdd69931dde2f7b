"""`translation`: a sentence in, its translation out, on rows with the columns `source` and `target`."""

from __future__ import annotations

from backsight.config import RunConfig
from backsight.errors import ConfigError
from backsight.hindsight.config import OutcomeConfig
from backsight.presets.base import Preset
from backsight.tasks.base import Task
from backsight.tasks.translation import TranslationTask
from backsight.training.config import StopConfig


def translation() -> Preset:
    """Rewarded with chrF, so that a translation that is partly right earns something."""
    config = RunConfig(
        preset="translation",
        policy="pocket",
        hindsight=OutcomeConfig(),
        algorithm="rloo",
        learning_rate=1e-4,
        num_generations=8,
        prompts_per_step=32,
        max_completion_length=48,
        stop=StopConfig(max_steps=200),
    )
    return Preset("translation", "translate a sentence", config, _task)


def _task(config: RunConfig) -> Task:
    if config.data is None:
        raise ConfigError("data", None, "translation needs rows with 'source' and 'target'; set data=PATH")
    return TranslationTask(config.data, test=config.eval_data, ood=config.ood_data)
