"""``backsight check``"""

from __future__ import annotations

from typing import Annotated

from backsight.cli.arguments import PRESET, ConfigFiles, Overrides


def check(
    preset: Annotated[str, PRESET],
    overrides: Overrides = None,
    config: ConfigFiles = None,
) -> None:
    """Check, before any training, that gold answers score full marks and that sampler and learner agree."""
    from backsight import finetuning, presets
    from backsight.config import read_changes

    settings = presets.get(preset).configured(*read_changes(config or [], overrides or []))
    for name, outcome in finetuning.check_config(settings):
        print(f"{name}: {outcome}")
