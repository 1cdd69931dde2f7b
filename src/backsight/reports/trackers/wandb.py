"""Weights & Biases: `WANDB_MODE=offline` keeps everything on this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backsight.reports.trackers.base import COLUMNS, PROJECT


class Wandb:
    """A run of Weights & Biases. A run that is resumed goes on with the same one."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], step: int) -> None:
        import wandb

        identity = hashlib.blake2b(str(folder.resolve()).encode(), digest_size=8).hexdigest()
        self._wandb = wandb
        self._run = wandb.init(
            project=PROJECT,
            name=folder.name,
            id=identity,
            resume="allow",
            dir=str(folder),
            config=dict(settings),
            settings=wandb.Settings(silent=True, console="off"),
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def log_samples(self, step: int, rows: Sequence[Sequence[Any]]) -> None:
        self._run.log(
            {"samples": self._wandb.Table(columns=list(COLUMNS), data=[list(row) for row in rows])}, step=step
        )

    def close(self) -> None:
        self._run.finish()
