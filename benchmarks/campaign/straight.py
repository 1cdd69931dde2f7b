"""What an uninterrupted run leaves, and where an interrupted one differs from it."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from backsight.reports.run_folder import read_rows
from benchmarks.campaign.kinds import KINDS, STEPS
from benchmarks.campaign.processes import at_each_write, start

TIMES = re.compile(r"step_time|seconds|(time|tokens_per_second|memory|matrix_rate)/.*|checksums?|origin")
"""Names of what no two runs share, and of what says from which files they were made."""


@dataclass(frozen=True, slots=True)
class Straight:
    """A run that nothing befell."""

    kind: str
    kit: Path
    folder: Path
    seconds: float
    writes: int
    """Number of times that it changed something in its folder."""
    steps: int

    def difference(self, folder: Path, ignoring: str = "") -> str | None:
        """Return where another run's folder differs from this one's, in words; None where it does not.

        Files whose path matches the pattern `ignoring` are left out.
        """
        expected, found = (
            {name: value for name, value in contents(each).items() if not re.fullmatch(ignoring, name)}
            for each in (self.folder, folder)
        )
        if odd := sorted(expected.keys() ^ found.keys()):
            return f"{'no' if odd[0] in expected else 'left over'} {odd[0]}"
        for name, value in expected.items():
            if value != found[name]:
                return f"{name} differs{_place(value, found[name])}"
        return None


def run_straight(kind: str, kit: Path, folder: Path, steps: int = STEPS) -> Straight:
    """Let a run of this kind go to its end.

    Raises:
        RuntimeError: when it does not get there: then there is nothing to compare with.
    """
    with tempfile.TemporaryFile() as counter:
        note = partial(_note, counter.fileno())
        run = start(KINDS[kind], kit, folder, lambda: at_each_write(folder.parent, note), steps)
        if run.end() != 0:
            raise RuntimeError(f"{kind}: the uninterrupted run ended with exit code {run.code}: {run.output[-2000:]}")
        if not any(row.get("grad_norm") for path in folder.rglob("metrics.jsonl") for row in read_rows(path)):
            raise RuntimeError(f"{kind}: the run learns nothing, so that it is no test")
        seconds, writes = time.monotonic() - run.began, int(os.pread(counter.fileno(), 20, 0))
    return Straight(kind, kit, folder, seconds, writes, steps)


def _note(descriptor: int, count: int) -> None:
    os.pwrite(descriptor, f"{count:20}".encode(), 0)


def contents(folder: Path) -> dict[str, Any]:
    """Return what lies in a folder by path: rows and records without times, other files as bytes."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or path.suffix in (".md", ".html") or path.name == "config.yaml":
            continue
        if path.suffix == ".jsonl":
            found[name] = [_timeless(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
        elif path.suffix == ".json":
            found[name] = _timeless(json.loads(path.read_bytes()))
        else:
            found[name] = path.read_bytes()
    return found


def _timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _timeless(each) for key, each in value.items() if not TIMES.fullmatch(key)}
    return [_timeless(each) for each in value] if isinstance(value, list) else value


def _place(expected: Any, found: Any) -> str:
    if isinstance(expected, list):
        if len(expected) != len(found):
            return f": {len(found)} lines, not {len(expected)}"
        first = next(index for index, pair in enumerate(zip(expected, found, strict=True)) if pair[0] != pair[1])
        keys = [key for key in expected[first] if expected[first][key] != found[first].get(key)]
        return f" in line {first + 1}: {', '.join(keys)}"
    if isinstance(expected, Mapping):
        return f": {', '.join(key for key in expected if expected[key] != found.get(key))}"
    return ""
