"""`translation`: a sentence in, its translation out, on rows with `source` and `target`."""

from __future__ import annotations

from backsight.presets.base import Preset, on_rows
from backsight.tasks.translation import TranslationTask


def translation() -> Preset:
    """Make the preset `translation`. The reward is chrF."""
    return on_rows("translation", "translate a sentence", TranslationTask, max_completion_length=48)
