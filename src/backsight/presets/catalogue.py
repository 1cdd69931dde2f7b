"""All presets."""

from __future__ import annotations

from backsight.errors import ConfigError, nearest
from backsight.presets.base import Preset
from backsight.presets.dialogue import dialogue
from backsight.presets.instructions import instructions
from backsight.presets.logs import logs
from backsight.presets.reasoning_gym import PREFIX, reasoning_gym
from backsight.presets.sentiment import sentiment
from backsight.presets.summarization import summarization
from backsight.presets.translation import translation

_ALL = (dialogue(), instructions(), logs(), sentiment(), summarization(), translation())
PRESETS = {preset.name: preset for preset in _ALL}


def get(name: str) -> Preset:
    """Raises `ConfigError` that names the nearest preset."""
    if name.startswith(PREFIX):
        return reasoning_gym(name)
    if name not in PRESETS:
        raise ConfigError("preset", name, f"unknown; {nearest(name, PRESETS)}")
    return PRESETS[name]
