"""The command `backsight evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backsight.cli.arguments import PRESET, ConfigFiles, Overrides

if TYPE_CHECKING:
    from rich.console import Console

    from backsight.runs.evaluate import Assessment

CALIBRATION = "paired sign-flip tests at 95 %, shared by the metrics of a split"


def evaluate(  # noqa: PLR0913  (a command's options are its parameters)
    preset: Annotated[str, PRESET],
    overrides: Overrides = None,
    config: ConfigFiles = None,
    against: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Compare with this policy on the same items: the baseline.")
    ] = None,
    samples: Annotated[
        int, typer.Option(metavar="K", help="1: a greedy attempt an item; more: so many samples, and pass@1 to pass@K.")
    ] = 1,
    splits: Annotated[
        str | None, typer.Option(metavar="NAME,NAME", help="Only these splits; all evaluation splits by default.")
    ] = None,
    general_text: Annotated[
        Path | None, typer.Option(metavar="FILE.txt", help="Held-out text: how likely it is shows what was forgotten.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write everything, down to the scores of each item.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw bars with intervals (.png, .pdf or .svg).")
    ] = None,
) -> None:
    """Score a policy (policy=FOLDER) on the splits of a preset, with intervals, alone or against another policy."""
    from rich.console import Console

    from backsight.config import read_changes
    from backsight.presets.base import configure
    from backsight.reports.files import check_new_file, write_json
    from backsight.reports.plots import check_picture, draw_estimates
    from backsight.runs.evaluate import assess

    settings, make_task = configure(preset, *read_changes(config, overrides))
    if json is not None:
        check_new_file("json", json, [".json"])
    if plot is not None:
        check_picture(plot)
    found = assess(
        settings,
        make_task(settings),
        against=against,
        samples=samples,
        splits=[] if splits is None else [name.strip() for name in splits.split(",")],
        general_text=general_text,
    )
    _print(found, Console())
    if json is not None:
        write_json(json, {"preset": settings.preset, **found.as_dict()})
        print(f"written: {json}")
    if plot is not None:
        draw_estimates(found.estimates, plot)
        print(f"drawn: {plot}")


def _print(found: Assessment, console: Console) -> None:
    from backsight.reports.tables import differences_table, estimates_table
    from backsight.reports.terminal import say

    how = "greedy" if found.num_samples == 1 else f"{found.num_samples} samples an item"
    title = ", ".join(f"{role} {path}" for role, path in found.paths.items())
    console.print(estimates_table(f"{title}: {how}, mean (95 % interval)", found.estimates))
    for message in found.messages:
        say(console, message)
    if not found.comparisons:
        return
    console.print(differences_table("policy less against: mean over items (95 % interval)", found.comparisons))
    for alarm in found.alarms:
        say(console, f"alarm: {alarm}")
    verdict = "read some completions before you believe the reward" if found.alarms else "none"
    print(f"alarms of reward hacking: {verdict} ({CALIBRATION})")
