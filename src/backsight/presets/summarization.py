"""`summarization`: a document in, its summary out, on rows with the columns `document` and `summary`."""

from __future__ import annotations

from backsight.config import RunConfig
from backsight.errors import ConfigError
from backsight.hindsight.config import OutcomeConfig
from backsight.presets.base import Preset
from backsight.tasks.base import Task
from backsight.tasks.summarization import SummarizationTask
from backsight.training.config import StopConfig


def summarization() -> Preset:
    """Rewarded with ROUGE-L. Documents are often longer than what a small model reads: see `long_prompts`."""
    config = RunConfig(
        preset="summarization",
        policy="pocket",
        hindsight=OutcomeConfig(),
        algorithm="rloo",
        learning_rate=1e-4,
        num_generations=8,
        prompts_per_step=32,
        max_completion_length=64,
        stop=StopConfig(max_steps=200),
    )
    return Preset("summarization", "summarise a document", config, _task)


def _task(config: RunConfig) -> Task:
    if config.data is None:
        raise ConfigError("data", None, "summarization needs rows with 'document' and 'summary'; set data=PATH")
    return SummarizationTask(config.data, test=config.eval_data, ood=config.ood_data)
