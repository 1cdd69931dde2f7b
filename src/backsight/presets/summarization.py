"""`summarization`: a document in, its summary out, on rows with `document` and `summary` or `references`."""

from __future__ import annotations

from backsight.presets.base import Preset, on_rows
from backsight.tasks.summarization import SummarizationTask


def summarization() -> Preset:
    """Make the preset `summarization`, with ROUGE-L as reward. Documents may be too long for a model: see
    `long_prompts`.
    """
    return on_rows("summarization", "summarise a document", SummarizationTask, max_completion_length=64)
