"""The command `backsight compare`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backsight.cli.arguments import INTERRUPTED, PRESET, ConfigFiles, Overrides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backsight.comparison.results import ComparisonResult
    from backsight.config import RunConfig


def compare(  # noqa: PLR0913  (a command's options are its parameters)
    preset: Annotated[str, PRESET],
    overrides: Overrides = None,
    config: ConfigFiles = None,
    methods: Annotated[
        str, typer.Option(metavar="NAME,NAME", help="Hindsight methods; sft is short for supervised.")
    ] = "sft,best_of_n,preference,outcome,relabel",
    seeds: Annotated[int, typer.Option(metavar="N", help="Runs of each method.")] = 3,
    attempts: Annotated[int | None, typer.Option(metavar="N", help="Budget of each run, in attempts …")] = None,
    tokens: Annotated[int | None, typer.Option(metavar="N", help="… or in sampled tokens …")] = None,
    seconds: Annotated[float | None, typer.Option(metavar="S", help="… or in seconds of training.")] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The folder in comparisons/; one that is there goes on.")
    ] = None,
    general_text: Annotated[
        Path | None, typer.Option(metavar="FILE.txt", help="Held-out text: how likely it is shows what was forgotten.")
    ] = None,
) -> None:
    """Train several methods with the same model, data and budget, and write a report with tables and curves."""
    from backsight.comparison.compare import OUTPUT_DIR, run
    from backsight.comparison.request import make_request
    from backsight.config import read_changes
    from backsight.presets.base import configure

    budget = _budget({"max_attempts": attempts, "max_tokens": tokens, "max_seconds": seconds}, overrides or [])
    last = budget | ({} if name is None else {"run_name": name})
    settings, make_task = configure(preset, {"output_dir": OUTPUT_DIR}, *read_changes(config, overrides), last)
    names = [each.strip() for each in methods.split(",") if each.strip()]
    _print(run(make_request(settings, make_task, names, seeds, general_text)), settings)


def _budget(limits: dict[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """Return the change that puts the given budget in place of the preset's stop conditions; empty without a budget."""
    from backsight.errors import ConfigError
    from backsight.training.config import StopConfig

    given = {name: limit for name, limit in limits.items() if limit is not None}
    options = [f"--{key.removeprefix('max_')}" for key in given]
    others = [word for word in words if word.startswith("stop.")] if given else []
    if len(options) + len(others) > 1:
        raise ConfigError("budget", " and ".join([*options, *others]), "give one of them, the same for all methods")
    return {"stop": dict.fromkeys(StopConfig.model_fields) | given} if given else {}


def _print(result: ComparisonResult, settings: RunConfig) -> None:
    from rich.console import Console

    from backsight.comparison.folder import PAGE, REPORT
    from backsight.comparison.report import FAILED, make_report
    from backsight.reports.tables import text_table
    from backsight.reports.terminal import say

    if result.interrupted:
        named = [] if settings.run_name is not None else ["--name", result.folder.name]
        words = shlex.join([*sys.argv[1:], *named])
        print(f"interrupted; what is done is saved; go on with: backsight {words}")
        raise typer.Exit(INTERRUPTED)
    console, report = Console(), make_report(result)
    for table in report.tables:
        rows = {name: {} if FAILED in cells else cells for name, cells in table.rows.items()}
        console.print(text_table(table.title, rows))
    for name, own in result.methods.items():
        if own.failure is not None:
            say(console, f"{name}: {FAILED} {own.failure}")
    for note in report.notes:
        say(console, note)
    print(f"report: {result.folder / PAGE} and {result.folder / REPORT}")
    if all(each.failure is not None for each in result.methods.values()):
        raise typer.Exit(2)
