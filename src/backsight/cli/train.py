"""The command `backsight train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backsight.cli.arguments import INTERRUPTED, PRESET, ConfigFiles, Overrides

if TYPE_CHECKING:
    from backsight.runs.finetune import Result


def train(
    preset: Annotated[str | None, PRESET] = None,
    overrides: Overrides = None,
    config: ConfigFiles = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the settings as YAML; write nothing.")] = False,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Go on with this run folder; only stop.* and cluster.* may change."),
    ] = None,
) -> None:
    """Train a policy, and write a run folder with the trained model in it."""
    from backsight.distributed.environment import num_ranks

    if num_ranks() == 1:
        if _train(preset, overrides or [], config, resume, dry_run=dry_run):
            raise typer.Exit(INTERRUPTED)
        return
    from backsight.distributed.ranks import connect

    ranks = connect()  # before anything else: whatever goes wrong from here on, one of them says
    is_interrupted = _train(preset, overrides or [], config, resume, dry_run=dry_run, speaks=ranks.is_first)
    ranks.close()  # torchrun ends all as soon as one of them ends in anything but success
    if is_interrupted:
        raise typer.Exit(INTERRUPTED)


def _train(
    preset: str | None,
    words: list[str],
    config: list[Path] | None,
    resume: Path | None,
    *,
    dry_run: bool,
    speaks: bool = True,
) -> bool:
    """Do what the command says, and return whether it was interrupted. Of several processes, one speaks."""
    from backsight.config import dump_config, read_changes, resume_config
    from backsight.presets.base import configure
    from backsight.reports.run_folder import RunReader

    if resume is not None:
        if config:
            raise typer.BadParameter("a run goes on with its own settings", param_hint="--config")
        settings = resume_config(RunReader(resume).config, words if preset is None else [preset, *words])
    elif preset is not None:
        settings, make_task = configure(preset, *read_changes(config, words))
    else:
        raise typer.BadParameter("name a preset, or a run folder with --resume", param_hint="PRESET")
    if dry_run:
        if speaks:
            print(dump_config(settings), end="")
        return False
    if settings.cluster is not None:
        from backsight.runs.placed import place

        return place(settings, settings.cluster, resume, _print)
    from backsight.runs import finetune
    from backsight.runs.start import begin

    if resume is not None:
        result = finetune.resume(settings, resume)
    else:
        result = finetune.train(begin(settings, make_task(settings)))
    if speaks:
        _print(result)
    return result.interrupted


def _print(result: Result) -> None:
    from rich.console import Console

    from backsight.reports.run_folder import METRICS, read_rows
    from backsight.reports.tables import scores_table, time_summary

    if result.interrupted:
        print(f"interrupted and saved; go on with: backsight train --resume {result.folder}")
        return
    if result.before or result.after:
        evaluations = {"before": result.before, "after": result.after}
        Console().print(scores_table("evaluation: mean (95 % interval)", evaluations))
    if spent := time_summary(read_rows(result.folder / METRICS)):
        print(f"time: {spent}")
    print(f"stopped: {result.stop_reason}\nrun folder: {result.folder}")
    for note in result.notes:
        print(f"note: {note}")
