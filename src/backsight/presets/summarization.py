"""`summarization`: a document in, its summary out, on rows with the columns `document` and `summary`."""

from __future__ import annotations

from backsight.presets.base import Preset
from backsight.presets.rows import rows_preset
from backsight.tasks.summarization import SummarizationTask


def summarization() -> Preset:
    """Rewarded with ROUGE-L. Documents are often longer than what a small model reads: see `long_prompts`."""
    return rows_preset(
        "summarization", "summarise a document", SummarizationTask, ("document", "summary"), max_completion_length=64
    )
