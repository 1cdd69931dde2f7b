"""The only reader of a run folder, and the names of what is in it.

runs/NAME/
├── config.yaml         everything the run depends on
├── metrics.jsonl       one line a logged step: step, and numbers by name
├── trajectories.jsonl  one line a turn of an attempt: what was asked, answered, paid and learnt
├── messages.jsonl      one line for each thing that people were told
├── evaluations.jsonl   one line an evaluated split: step, split, scores
├── checkpoints/        what training goes on from
└── policy/             the trained policy
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from backsight.errors import RunFolderError

CONFIG = "config.yaml"
METRICS = "metrics.jsonl"
TRAJECTORIES = "trajectories.jsonl"
EVALUATIONS = "evaluations.jsonl"
MESSAGES = "messages.jsonl"
CHECKPOINTS = "checkpoints"
POLICY = "policy"

Row = dict[str, Any]


class RunReader:
    """What a run has left so far. A run that was killed, or still goes on, can be read as well."""

    def __init__(self, folder: Path) -> None:
        """Raises RunFolderError when `folder` is not a run folder."""
        if not (folder / CONFIG).is_file():
            raise RunFolderError("run folder", folder, f"has no {CONFIG}; name a folder that a run has made")
        self.folder = folder
        self.config = folder / CONFIG
        self.checkpoints = folder / CHECKPOINTS
        self.policy = folder / POLICY

    def metrics(self) -> list[Row]:
        return read_rows(self.folder / METRICS)

    def trajectories(self) -> list[Row]:
        return read_rows(self.folder / TRAJECTORIES)

    def messages(self) -> list[Row]:
        return read_rows(self.folder / MESSAGES)

    def evaluations(self) -> list[Row]:
        return read_rows(self.folder / EVALUATIONS)


def read_rows(path: Path) -> list[Row]:
    """The rows of a JSON Lines file; none when it does not exist yet.

    A last line that is only half there (the run was killed while it wrote) is left out.

    Raises:
        RunFolderError: an earlier line is damaged.
    """
    if not path.exists():
        return []
    *lines, _half = path.read_text(encoding="utf-8", errors="replace").split("\n")
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(json.loads(line))
        except ValueError:
            raise RunFolderError(f"{path}:{number}", line, "is not JSON; mend or delete the line") from None
    return rows
