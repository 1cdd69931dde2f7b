"""The toy of the demo: the pocket model learns to write sentences that obey four constraints at once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from backsight import finetune
from backsight.presets.base import find_preset
from backsight.runs.finetune import Result
from backsight_pocket.instructions import InstructionsTask

Reward = Literal["success", "constraints"]
"""What the task pays: all or nothing, or the share of the constraints that are met."""
T = TypeVar("T")

_PLACES = {"preset", "policy", "output_dir", "run_name"}


def train_toy(reward: Reward, read: Callable[[Result], T], **settings: Any) -> T:
    """Train with the settings of the preset, but for these, and return what is read from the result.

    The run folder is there until `read` returns.
    """
    preset = find_preset("instructions", {"policy": "pocket"}).config.model_dump(exclude=_PLACES | settings.keys())
    with tempfile.TemporaryDirectory() as folder:
        task = InstructionsTask(reward=reward)
        return read(finetune("pocket", task, output_dir=folder, show_progress=False, **preset, **settings))
