"""Reinforcement learning with hindsight feedback for language models."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backsight.comparison.compare import compare as compare
    from backsight.environments.episodes import EpisodesTask as EpisodesTask
    from backsight.hindsight.base import Hindsight as Hindsight
    from backsight.hindsight.base import LookBack as LookBack
    from backsight.hindsight.options import MethodOptions as MethodOptions
    from backsight.runs.classic import rlhf_finetune as rlhf_finetune
    from backsight.runs.evaluate import evaluate as evaluate
    from backsight.runs.finetune import finetune as finetune
    from backsight.runs.start import load_policy as load_policy
    from backsight.tasks.base import Item as Item
    from backsight.tasks.base import PromptTask as PromptTask
    from backsight.tasks.base import Task as Task
    from backsight.tasks.rows import RowsTask as RowsTask
    from backsight.types import Feedback as Feedback

__version__ = "0.1.0"

_HOMES = {
    "EpisodesTask": "backsight.environments.episodes",
    "Feedback": "backsight.types",
    "Hindsight": "backsight.hindsight.base",
    "Item": "backsight.tasks.base",
    "LookBack": "backsight.hindsight.base",
    "MethodOptions": "backsight.hindsight.options",
    "PromptTask": "backsight.tasks.base",
    "RowsTask": "backsight.tasks.rows",
    "Task": "backsight.tasks.base",
    "compare": "backsight.comparison.compare",
    "evaluate": "backsight.runs.evaluate",
    "finetune": "backsight.runs.finetune",
    "load_policy": "backsight.runs.start",
    "rlhf_finetune": "backsight.runs.classic",
}
__all__ = [
    "EpisodesTask",
    "Feedback",
    "Hindsight",
    "Item",
    "LookBack",
    "MethodOptions",
    "PromptTask",
    "RowsTask",
    "Task",
    "__version__",
    "compare",
    "evaluate",
    "finetune",
    "load_policy",
    "rlhf_finetune",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: importing torch alone takes seconds."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'backsight' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Return the public names, including those that are not imported yet."""
    return sorted({*globals(), *__all__})
