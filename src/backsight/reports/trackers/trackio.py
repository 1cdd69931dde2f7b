"""Trackio: a dashboard on this machine, `trackio show --project backsight`; `TRACKIO_DIR` is where it keeps runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from backsight.reports.trackers.base import COLUMNS, PROJECT


class Trackio:
    """A run of Trackio. A run that is resumed goes on with the one of its name."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], step: int) -> None:
        import trackio

        self._trackio = trackio
        with redirect_stdout(StringIO()):  # the terminal belongs to the run
            self._run = trackio.init(project=PROJECT, name=folder.name, config=dict(settings), resume="allow")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def log_samples(self, step: int, rows: Sequence[Sequence[Any]]) -> None:
        import pandas as pd  # it comes with trackio

        frame = pd.DataFrame([list(row) for row in rows], columns=list(COLUMNS))
        self._run.log({"samples": self._trackio.Table(dataframe=frame)}, step=step)

    def close(self) -> None:
        with redirect_stdout(StringIO()):
            self._trackio.finish()
