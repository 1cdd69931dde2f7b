"""`dialogue`: the assistant's next words in a conversation, on rows with `messages`."""

from __future__ import annotations

from backsight.presets.base import Preset, on_rows
from backsight.tasks.dialogue import DialogueTask


def dialogue() -> Preset:
    """Make the preset `dialogue`. The reward is the overlap in words of a reply with the recorded one (F1)."""
    return on_rows("dialogue", "answer in a conversation", DialogueTask, max_completion_length=48)
