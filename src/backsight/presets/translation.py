"""`translation`: a sentence in, its translation out, on rows with the columns `source` and `target`."""

from __future__ import annotations

from backsight.presets.base import Preset
from backsight.presets.rows import rows_preset
from backsight.tasks.translation import TranslationTask


def translation() -> Preset:
    """Rewarded with chrF, so that a translation that is partly right earns something."""
    return rows_preset(
        "translation", "translate a sentence", TranslationTask, ("source", "target"), max_completion_length=48
    )
