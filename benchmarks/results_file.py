"""The form that every benchmark writes its figures in: `benchmarks/results/NAME.json`."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what was measured, its 95 % interval, and the aim it was held against."""

    row: str
    value: float
    interval: tuple[float, float] | None
    unit: str
    aim: str | None = None
    """For example ``>= 0.6``."""
    holds: bool | None = None


def read_results(name: str) -> list[Figure]:
    """The figures of an earlier run; none when there was none."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return []
    rows = json.loads(path.read_text())["rows"]
    return [Figure(**{**row, "interval": row["interval"] and tuple(row["interval"])}) for row in rows]


def write_results(
    name: str, seeds: Sequence[int], rows: Sequence[Figure], folder: Path = RESULTS, command: str | None = None
) -> Path:
    """Write the figures with the command (None: the one that runs), the date and the machine they come from."""
    content = {
        "command": command or " ".join(["python", os.path.relpath(sys.argv[0]), *sys.argv[1:]]),
        "date": date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "seeds": list(seeds),
        "rows": [asdict(row) for row in rows],
    }
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path
