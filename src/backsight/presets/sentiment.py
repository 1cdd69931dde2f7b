"""`sentiment`: a text in, its label out, on rows with `text` and `label`."""

from __future__ import annotations

from backsight.presets.base import Preset, on_rows
from backsight.tasks.sentiment import SentimentTask


def sentiment() -> Preset:
    """Make the preset `sentiment`. Any set of labels will do."""
    return on_rows("sentiment", "label a text", SentimentTask, max_completion_length=8)
