"""`summarization`: a document in, its summary out; reports of the pocket world, or rows with `document`, `summary`."""

from __future__ import annotations

from backsight.pocket.summarization import PocketSummaryTask
from backsight.presets.application import RELABEL_OR_GOLD, application
from backsight.presets.base import Preset
from backsight.tasks.summarization import SummarizationTask


def summarization() -> Preset:
    """Rewarded with the facts that are told, on rows with ROUGE-L. Offline the facts that a summary did tell become
    those that mattered. Documents of your own may be longer than what a small model reads: see `long_prompts`."""
    return application(
        "summarization",
        "summarise a document",
        world=PocketSummaryTask,
        offline={"hindsight": RELABEL_OR_GOLD, "max_completion_length": 24},
        rows=SummarizationTask,
        max_completion_length=64,
    )
