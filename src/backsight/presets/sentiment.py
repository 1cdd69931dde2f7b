"""`sentiment`: a text in, its label out; reviews of the pocket world, or rows with `text` and `label`."""

from __future__ import annotations

from backsight.pocket.sentiment import PocketSentimentTask
from backsight.presets.application import application
from backsight.presets.base import Preset
from backsight.tasks.sentiment import SentimentTask


def sentiment() -> Preset:
    """Offline a wrong label is relabelled: the review is rewritten, as little as it takes for the label to be right."""
    return application(
        "sentiment",
        "label a text",
        world=PocketSentimentTask,
        offline={"hindsight": "relabel", "max_completion_length": 4},
        rows=SentimentTask,
        max_completion_length=8,
    )
