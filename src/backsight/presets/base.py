"""What a preset is: a full configuration, and the task that goes with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backsight.config import RunConfig
from backsight.tasks.base import Task


@dataclass(frozen=True, slots=True)
class Preset:
    """A name for `backsight train`."""

    name: str
    summary: str
    config: RunConfig
    task: Callable[[RunConfig], Task]
