"""``backsight evaluate``"""

from __future__ import annotations

from typing import Annotated

from backsight.cli.arguments import PRESET, ConfigFiles, Overrides


def evaluate(
    preset: Annotated[str, PRESET],
    overrides: Overrides = None,
    config: ConfigFiles = None,
) -> None:
    """Score a policy (policy=FOLDER) on every evaluation split."""
    from rich.console import Console

    from backsight import finetuning, presets
    from backsight.config import load_config
    from backsight.reports.tables import scores_table

    settings = load_config(presets.get(preset).config, config or [], overrides or [])
    scores = finetuning.evaluate_config(settings)
    Console().print(scores_table(f"{settings.policy}: mean (95 % interval)", {"score": scores}))
