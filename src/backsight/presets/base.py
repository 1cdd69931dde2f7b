"""What a preset is: full configurations, and the task that goes with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backsight.config import RunConfig, change_config
from backsight.tasks.base import Task
from backsight.training.config import StopConfig

START: Mapping[str, Any] = {
    "algorithm": "rloo",
    "learning_rate": 1e-4,
    "num_generations": 8,
    "prompts_per_step": 32,
    "stop": StopConfig(max_steps=200),
}
"""What reinforcement learning of a model of the user's own can start from."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A name for `backsight train`."""

    name: str
    summary: str
    config: RunConfig
    task: Callable[[RunConfig], Task]
    on_data: RunConfig | None = None
    """Settings to start from where the user brings `data`; None: the same ones."""

    def configured(self, *changes: Mapping[str, Any]) -> RunConfig:
        """The configuration with these changes, each over the one before.

        Raises:
            ConfigError: a change does not fit.
        """
        data = next((change["data"] for change in reversed(changes) if "data" in change), None)
        start = self.config if data is None or self.on_data is None else self.on_data
        return change_config(start, *changes)
