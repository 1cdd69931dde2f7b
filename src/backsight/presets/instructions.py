"""`instructions`: answers on everyday topics that obey several constraints at once, for an instruct model."""

from __future__ import annotations

from backsight.config import RunConfig
from backsight.hindsight.prompt.options import RelabelOptions
from backsight.presets.base import Preset
from backsight.tasks.instructions.task import InstructionsTask
from backsight.training.config import StopConfig


def instructions() -> Preset:
    """Make the preset `instructions`, which makes its own items.

    The settings are a first guess for a model of 135 million parameters. The divergence from the model that it was
    (`beta`) is there because the reward says nothing of how well an answer reads.
    """
    config = RunConfig(
        preset="instructions",
        policy="smollm2",
        hindsight=RelabelOptions(),
        algorithm="rloo",
        learning_rate=1e-4,
        beta=0.02,
        temperature=0.7,
        num_generations=8,
        prompts_per_step=8,
        max_completion_length=64,
        stop=StopConfig(max_seconds=300),
    )
    summary = "answer so that several constraints hold at once"
    return Preset("instructions", summary, config, lambda own: InstructionsTask())
