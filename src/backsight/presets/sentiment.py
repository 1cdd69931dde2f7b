"""`sentiment`: a text in, its label out, on rows with the columns `text` and `label`."""

from __future__ import annotations

from backsight.presets.base import Preset
from backsight.presets.rows import rows_preset
from backsight.tasks.sentiment import SentimentTask


def sentiment() -> Preset:
    """Short completions, so many attempts; a label that is wrong for a text cannot be relabelled."""
    return rows_preset("sentiment", "label a text", SentimentTask, ("text", "label"), 8)
