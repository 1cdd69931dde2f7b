"""Arguments that several commands share."""

from backsight.cli.arguments import PRESET
from backsight.presets.catalogue import PRESETS


def test_help_names_every_preset_of_backsight() -> None:
    assert len(PRESETS.own) >= 7
    assert all(f" {name.rstrip(':')}" in PRESET.help for name in PRESETS.own)
