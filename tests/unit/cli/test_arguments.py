"""Arguments that several commands share."""

from backsight.cli.arguments import PRESET
from backsight.presets.base import PRESETS


def test_help_names_every_preset_of_backsight() -> None:
    assert all(name in PRESET.help for name in PRESETS.own)
