"""`translation`: a sentence in, its translation out; the pocket world's, or rows with `source` and `target`."""

from __future__ import annotations

from backsight.pocket.translation import PocketTranslationTask
from backsight.presets.application import RELABEL_OR_GOLD, application
from backsight.presets.base import Preset
from backsight.tasks.translation import TranslationTask


def translation() -> Preset:
    """Rewarded with chrF. Offline a wrong translation is read, and learnt as that of what it says; where all are wrong,
    the right one is revealed."""
    return application(
        "translation",
        "translate a sentence",
        world=PocketTranslationTask,
        offline={"hindsight": RELABEL_OR_GOLD, "max_completion_length": 24},
        rows=TranslationTask,
        max_completion_length=48,
    )
