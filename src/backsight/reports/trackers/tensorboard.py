"""TensorBoard: events in the run folder, `tensorboard --logdir runs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backsight.reports.trackers.base import COLUMNS

FOLDER = "tensorboard"


class TensorBoard:
    """Writer of TensorBoard's events."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / FOLDER), purge_step=step + 1)
        self._writer.add_text("settings", _code(str(dict(settings))), step)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def log_samples(self, step: int, rows: Sequence[Sequence[Any]]) -> None:
        text = "\n\n".join(f"{name}: {value}" for row in rows for name, value in zip(COLUMNS, row, strict=True))
        self._writer.add_text("samples", _code(text), step)

    def close(self) -> None:
        self._writer.close()


def _code(text: str) -> str:
    """Return a text that TensorBoard, which reads Markdown, shows as it is: indented, it is code."""
    return "\n".join(f"    {line}" for line in text.splitlines())
