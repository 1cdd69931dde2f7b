"""All hindsight methods, from their settings."""

from __future__ import annotations

from backsight.hindsight.base import Hindsight
from backsight.hindsight.config import HindsightConfig, OutcomeConfig, RelabelConfig
from backsight.hindsight.outcome import Outcome
from backsight.hindsight.relabel import Relabel
from backsight.hindsight.supervised import Supervised


def build(config: HindsightConfig) -> Hindsight:
    """The method that the settings name."""
    match config:
        case OutcomeConfig():
            return Outcome()
        case RelabelConfig():
            return Relabel(config.outcome_weight, config.imitation_weight, config.max_replays)
        case _:
            return Supervised()
