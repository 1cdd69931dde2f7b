"""``backsight train``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backsight.cli.arguments import INTERRUPTED, PRESET, ConfigFiles, Overrides

if TYPE_CHECKING:
    from backsight.config import RunConfig


def train(
    preset: Annotated[str | None, PRESET] = None,
    overrides: Overrides = None,
    config: ConfigFiles = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the settings as YAML; write nothing.")] = False,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with this run folder; only stop.* may change.")
    ] = None,
) -> None:
    """Make a policy better; leaves a run folder with the trained model in it."""
    from backsight import presets
    from backsight.config import dump_config, read_changes, resume_config
    from backsight.reports.reader import RunReader

    words = overrides or []
    if resume is not None:
        if config:
            raise typer.BadParameter("a run goes on with its own settings", param_hint="--config")
        changes = words if preset is None else [preset, *words]
        settings = resume_config(RunReader(resume).config, changes)
    elif preset is not None:
        settings = presets.get(preset).configured(*read_changes(config or [], words))
    else:
        raise typer.BadParameter("name a preset, or a run folder with --resume", param_hint="PRESET")
    if dry_run:
        print(dump_config(settings), end="")
    else:
        _run(settings, resume)


def _run(settings: RunConfig, resume: Path | None) -> None:
    from rich.console import Console

    from backsight import finetuning
    from backsight.reports.reader import METRICS, read_rows
    from backsight.reports.tables import scores_table, time_summary

    result = finetuning.run(settings, resume=resume)
    if result.interrupted:
        print(f"interrupted and saved; go on with: backsight train --resume {result.folder}")
        raise typer.Exit(INTERRUPTED)
    evaluations = {"before": result.before, "after": result.after}
    Console().print(scores_table("evaluation: mean (95 % interval)", evaluations))
    if spent := time_summary(read_rows(result.folder / METRICS)):
        print(f"time: {spent}")
    print(f"stopped: {result.stop_reason}\nrun folder: {result.folder}")
