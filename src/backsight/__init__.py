"""Reinforcement learning with hindsight feedback for language models."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from backsight.threads import wait_asleep

if TYPE_CHECKING:
    from backsight.comparison.compare import compare as compare
    from backsight.environments.episodes import EpisodesTask as EpisodesTask
    from backsight.feedback.combined import Combined as Combined
    from backsight.feedback.endpoint import ChatEndpoint as ChatEndpoint
    from backsight.feedback.judge import Judge as Judge
    from backsight.feedback.records import FeedbackRecord as FeedbackRecord
    from backsight.feedback.reward_functions import RewardFunctions as RewardFunctions
    from backsight.feedback.reward_model import RewardModel as RewardModel
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
    from backsight.tasks.dialogue import DialogueTask as DialogueTask
    from backsight.tasks.rows import RowsTask as RowsTask
    from backsight.tasks.sentiment import SentimentTask as SentimentTask
    from backsight.tasks.summarization import SummarizationTask as SummarizationTask
    from backsight.tasks.translation import TranslationTask as TranslationTask
    from backsight.types import Feedback as Feedback

__version__ = "0.1.0"

wait_asleep()  # before torch is imported

_HOMES = {
    "ChatEndpoint": "backsight.feedback.endpoint",
    "Combined": "backsight.feedback.combined",
    "DialogueTask": "backsight.tasks.dialogue",
    "EpisodesTask": "backsight.environments.episodes",
    "Feedback": "backsight.types",
    "FeedbackRecord": "backsight.feedback.records",
    "Hindsight": "backsight.hindsight.base",
    "Item": "backsight.tasks.base",
    "Judge": "backsight.feedback.judge",
    "LookBack": "backsight.hindsight.base",
    "MethodOptions": "backsight.hindsight.options",
    "PromptTask": "backsight.tasks.base",
    "RewardFunctions": "backsight.feedback.reward_functions",
    "RewardModel": "backsight.feedback.reward_model",
    "RowsTask": "backsight.tasks.rows",
    "SentimentTask": "backsight.tasks.sentiment",
    "SummarizationTask": "backsight.tasks.summarization",
    "Task": "backsight.tasks.base",
    "TranslationTask": "backsight.tasks.translation",
    "compare": "backsight.comparison.compare",
    "evaluate": "backsight.runs.evaluate",
    "finetune": "backsight.runs.finetune",
    "load_policy": "backsight.runs.start",
    "rlhf_finetune": "backsight.runs.classic",
}
__all__ = [
    "ChatEndpoint",
    "Combined",
    "DialogueTask",
    "EpisodesTask",
    "Feedback",
    "FeedbackRecord",
    "Hindsight",
    "Item",
    "Judge",
    "LookBack",
    "MethodOptions",
    "PromptTask",
    "RewardFunctions",
    "RewardModel",
    "RowsTask",
    "SentimentTask",
    "SummarizationTask",
    "Task",
    "TranslationTask",
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
