"""The form in which every benchmark writes its figures: `benchmarks/results/NAME.json`."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any, Literal, Protocol

from rich.console import Console
from rich.table import Table

from benchmarks.shared.places import REPOSITORY, RESULTS


class Interval(Protocol):
    """A mean and the ends of its interval, as in `backsight.evaluation.statistics.Estimate`."""

    @property
    def mean(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the results: what was measured, its interval, and the aim that it is held against."""

    row: str
    value: float
    interval: tuple[float, float] | None
    unit: str
    aim: str | None = None
    """The aim in words, for example ``>= 0.6``."""
    holds: bool | None = None
    """Whether the aim is reached; None where there is no aim."""

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Figure:
        """Make the figure again from what `dataclasses.asdict` gave, also by way of JSON."""
        interval = fields["interval"]
        return cls(**{**fields, "interval": None if interval is None else tuple(interval)})

    @classmethod
    def of_estimate(cls, row: str, found: Interval, unit: str) -> Figure:
        """Make the figure of a mean with its 95 % interval."""
        return cls(row, found.mean, (found.low, found.high), unit)

    @classmethod
    def of_repeats(cls, row: str, values: Sequence[float], unit: str) -> Figure:
        """Make the figure of a measurement that was repeated: the median, between the lowest and the highest value."""
        return cls(row, median(values), (min(values), max(values)), unit)

    def hold_against(self, sign: Literal[">=", "<="], aim: float) -> Figure:
        """Return the same figure with an aim that its value has to reach, or must not exceed."""
        holds = self.value >= aim if sign == ">=" else self.value <= aim
        return replace(self, aim=f"{sign} {aim}", holds=holds)


def print_aims(console: Console, figures: Sequence[Figure]) -> None:
    """Print a table of the figures that have an aim; nothing where none has."""
    table = Table("aim", "measured", "interval", "held against", "")
    for each in figures:
        if each.aim is not None:
            interval = "{:.3f} to {:.3f}".format(*each.interval) if each.interval else "–"
            verdict = "holds" if each.holds else "missed"
            table.add_row(each.row, f"{each.value:,.3f} {each.unit}", interval, each.aim, verdict)
    if table.rows:
        console.print(table)


def read_results(name: str) -> list[Figure]:
    """Read the figures of an earlier run; there are none when there was none."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return []
    return [Figure.from_dict(row) for row in json.loads(path.read_text())["rows"]]


def write_results(
    name: str,
    seeds: Sequence[int],
    rows: Sequence[Figure],
    folder: Path = RESULTS,
    command: str | None = None,
    further: Mapping[str, Any] | None = None,
) -> Path:
    """Write the figures with the date and machine they come from, and the command (None: the one that runs).

    `further` is more to be written, such as a better name of the machine.
    """
    content = {
        "command": command or " ".join(["python", os.path.relpath(sys.argv[0], REPOSITORY), *sys.argv[1:]]),
        "date": date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "seeds": list(seeds),
        **(further or {}),
        "rows": [asdict(row) for row in rows],
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path
