"""All presets by name, without what they are made of: help and completion read only this.

To add a preset, write a file with a function that returns it, and add its line to `PRESETS`. Packages add presets by
entry points ``backsight.presets``, each such a function, and tasks without settings of their own by
``backsight.tasks``, each a function from a configuration to a task.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from backsight.registry import Registry

if TYPE_CHECKING:
    from backsight.config import RunConfig
    from backsight.presets.base import Preset
    from backsight.tasks.base import Task

PRESETS: Registry[Callable[..., Preset]] = Registry(
    "backsight.presets",
    "preset",
    {
        "corrections": "backsight.presets.logs:corrections",
        "dialogue": "backsight.presets.dialogue:dialogue",
        "instructions": "backsight.presets.instructions:instructions",
        "logs": "backsight.presets.logs:logs",
        "reasoning-gym:": "backsight.presets.reasoning_gym:reasoning_gym",
        "sentiment": "backsight.presets.sentiment:sentiment",
        "summarization": "backsight.presets.summarization:summarization",
        "translation": "backsight.presets.translation:translation",
        "verifiers:": "backsight.presets.verifiers:verifiers",
    },
)
"""Functions that make a preset, by its name. A function whose name ends in a colon is given the text behind the
colon."""

TASKS: Registry[Callable[[RunConfig], Task]] = Registry("backsight.tasks", "preset", {})
"""Functions that make a task, by its name."""
