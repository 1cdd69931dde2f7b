"""Presets by name."""

from backsight.presets.base import Preset
from backsight.presets.catalogue import PRESETS, get

__all__ = ["PRESETS", "Preset", "get"]
