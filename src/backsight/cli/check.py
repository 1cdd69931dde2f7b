"""The command `backsight check`."""

from __future__ import annotations

from typing import Annotated

from backsight.cli.arguments import PRESET, ConfigFiles, Overrides


def check(
    preset: Annotated[str, PRESET],
    overrides: Overrides = None,
    config: ConfigFiles = None,
) -> None:
    """Check gold answers, prompts, sampler and learner before any training, and show a prompt and three answers."""
    from rich.console import Console

    from backsight.config import read_changes
    from backsight.presets.base import configure
    from backsight.reports.terminal import say
    from backsight.runs.check import check as run_checks

    settings, make_task = configure(preset, *read_changes(config, overrides))
    console = Console()
    for name, outcome in run_checks(settings, make_task(settings)):
        say(console, f"{name}: {outcome}")
