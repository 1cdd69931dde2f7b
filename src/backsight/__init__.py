"""Reinforcement learning with hindsight feedback for language models."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backsight.classic import rlhf_finetune as rlhf_finetune
    from backsight.comparison.compare import compare as compare
    from backsight.finetuning import evaluate as evaluate
    from backsight.finetuning import finetune as finetune

__version__ = "0.1.0"
__all__ = ["__version__", "compare", "evaluate", "finetune", "rlhf_finetune"]

_HOMES = {
    "compare": "backsight.comparison.compare",
    "evaluate": "backsight.finetuning",
    "finetune": "backsight.finetuning",
    "rlhf_finetune": "backsight.classic",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is asked for: torch alone takes seconds."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'backsight' has no attribute '{name}'")
