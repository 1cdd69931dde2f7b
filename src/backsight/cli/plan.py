"""The command `backsight plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backsight.cli.arguments import PRESET, ConfigFiles, Overrides

if TYPE_CHECKING:
    from rich.console import Console

    from backsight.runs.pilot import Outlook
    from backsight.runs.plan import Plan


def plan(
    preset: Annotated[str | None, PRESET] = None,
    overrides: Overrides = None,
    config: ConfigFiles = None,
    machine: Annotated[
        str | None, typer.Option(metavar="NAME", help="Compute for a machine that is not there, such as h100 or 4090.")
    ] = None,
    pilot: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Forecast how a finished run would go on, from its evaluations.")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write everything.")] = None,
) -> None:
    """Say what a run will take, in memory, time and disk, and with --pilot how much data, before it begins."""
    from rich.console import Console

    from backsight.reports.files import check_new_file, write_json

    if json is not None:
        check_new_file("json", json, [".json"])
    if (preset is None) == (pilot is None):
        raise typer.BadParameter("name a preset, or a finished run with --pilot", param_hint="PRESET")
    if pilot is not None:
        from backsight.runs.pilot import look_ahead

        outlook = look_ahead(pilot)
        _print_outlook(outlook, Console())
        found = outlook.as_dict()
    else:
        from backsight.config import read_changes
        from backsight.planning.machines import find_machine
        from backsight.presets.base import configure

        if machine is not None:
            find_machine(machine)  # a name that nobody knows is no reason to wait
        settings, _ = configure(str(preset), *read_changes(config, overrides))
        from backsight.runs.plan import plan as make_plan

        made = make_plan(settings, machine)
        _print_plan(made, settings.policy, Console())
        found = made.as_dict()
    if json is not None:
        write_json(json, found)
        print(f"written: {json}")


def _print_plan(made: Plan, policy: str, console: Console) -> None:
    from backsight.reports.files import size_text
    from backsight.reports.tables import text_table
    from backsight.reports.terminal import say

    weights, trained = (f"{count / 1e6:,.1f}" for count in (made.size.num_weights, made.size.num_trained))
    say(console, f"{policy}: {weights} million weights, {trained} million trained; {made.how}")
    for note in made.notes:
        say(console, f"note: {note}")
    there = "" if made.available is None else f" of {_gib(made.available)} that there are"
    say(console, f"memory: {_gib(made.peak)} at the peak{there}")
    console.print(
        text_table("made of", {name: {"GiB": f"{own / 2**30:.2f}"} for name, own in made.memory.parts.items()})
    )
    if made.advice is not None:
        say(console, f"it does not fit; {made.advice}")
    phases = ", ".join(f"{name} {own:.2f}" for name, own in made.seconds.items())
    say(console, f"time: {made.step_seconds:.2f} s a step ({phases})")
    say(console, f"until the end: {_until_the_end(made)}")
    disk = ", ".join(f"{name} {size_text(round(own))}" for name, own in made.disk.items() if own)
    say(console, f"disk: {size_text(round(sum(made.disk.values())))} ({disk})")
    rows = {each.settings: {"peak, GiB": f"{each.peak / 2**30:.2f}", "costs": each.costs} for each in made.remedies}
    if rows:
        console.print(text_table("what takes less memory, each on top of those above", rows))


def _until_the_end(made: Plan) -> str:
    if made.steps is None or made.total_seconds is None:
        return "unknown, because only scores end the run; set a budget in stop"
    counts = {"steps": 1.0, "attempts": made.attempts, "tokens": made.tokens}
    until = ", ".join(f"{each * made.steps:,.0f} {name}" for name, each in counts.items())
    evaluations = f"{made.evaluations} evaluations of {_time(made.evaluation_seconds)}"
    return f"{_time(made.total_seconds)} ({made.ends_by}: {until}; {evaluations})"


def _gib(num_bytes: float) -> str:
    return f"{num_bytes / 2**30:.2f} GiB"


def _time(seconds: float) -> str:
    """Return a time for a person."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _print_outlook(outlook: Outlook, console: Console) -> None:
    from backsight.reports.tables import text_table
    from backsight.reports.terminal import say

    for line in outlook.lines():
        say(console, line)
    rows = {
        f"{each.attempts:,.0f}": {
            "score": "–" if each.score is None else f"{each.score:.3f}",
            "90 % interval": f"{each.low:.3f} to {each.high:.3f}",
        }
        for each in outlook.forecasts
    }
    console.print(text_table(f"{outlook.split} after so many attempts", rows))
