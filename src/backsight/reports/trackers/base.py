"""Trackers: other programs that show runs, and get the same numbers as the run folder."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from backsight.errors import BacksightError, ConfigError, border
from backsight.registry import Registry
from backsight.reports.run_folder import attempt_rows
from backsight.types import Group

PROJECT = "backsight"
"""Name of the project under which runs are tracked."""
MOST_SAMPLES = 8
"""Most attempts of a step in the table of samples."""
COLUMNS = ("step", "prompt", "completion", "reward", "advantage")


class Tracker(Protocol):
    """A program that shows runs. What it throws is no fault of the run, which goes on without it."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Track numbers of a step by name."""
        ...

    def log_samples(self, step: int, rows: Sequence[Sequence[Any]]) -> None:
        """Track a table of attempts, each with the values of `COLUMNS`."""
        ...

    def close(self) -> None:
        """Wait until everything is written."""
        ...


class TrackerMaker(Protocol):
    """What opens a tracker for the run in a folder; the `step` is that behind which the run goes on."""

    def __call__(self, folder: Path, settings: Mapping[str, Any], step: int) -> Tracker: ...


TRACKERS: Registry[TrackerMaker] = Registry(
    "backsight.trackers",
    "report_to",
    {
        "tensorboard": "backsight.reports.trackers.tensorboard:TensorBoard",
        "wandb": "backsight.reports.trackers.wandb:Wandb",
        "trackio": "backsight.reports.trackers.trackio:Trackio",
    },
)


PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb", "trackio": "trackio"}
"""The package that each of backsight's own trackers needs."""


def check_installed(names: Sequence[str]) -> None:
    """Check that the packages of trackers are installed.

    Raises:
        ConfigError: when one is not.
    """
    for name in names:
        if name in PACKAGES and find_spec(PACKAGES[name]) is None:
            raise ConfigError("report_to", name, f"is not installed; pip install 'backsight[{name}]'")


class Trackers:
    """The trackers of a run. One that fails is left out from then on, and the run says so."""

    def __init__(self, names: Sequence[str], folder: Path, settings: Mapping[str, Any], step: int) -> None:
        """Open the trackers by name.

        Raises:
            ConfigError: when one is not installed, or does not start.
        """
        self._open: dict[str, Tracker] = {}
        self._complaints: list[str] = []
        for name in names:
            with border(partial(_failure, name, "does not start", "leave it out")):
                self._open[name] = TRACKERS.find(name)(folder, settings, step)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._tell("log", step, values)

    def log_samples(self, step: int, groups: Sequence[Group]) -> None:
        """Track a few attempts: those of the first groups."""
        if self._open:
            self._tell("log_samples", step, list(itertools.islice(_sample_rows(step, groups), MOST_SAMPLES)))

    def close(self) -> None:
        self._tell("close")
        self._open = {}

    def take_complaints(self) -> list[str]:
        """Return what there is to tell the user since the last call."""
        complaints, self._complaints = self._complaints, []
        return complaints

    def _tell(self, what: str, *arguments: Any) -> None:
        for name, tracker in list(self._open.items()):
            try:
                with border(partial(_failure, name, "fails", "the run goes on without it")):
                    getattr(tracker, what)(*arguments)
            except BacksightError as error:
                del self._open[name]
                self._complaints.append(str(error))


def _failure(name: str, what: str, remedy: str, reason: str) -> ConfigError:
    return ConfigError("report_to", name, f"{what} ({reason}); {remedy}")


def _sample_rows(step: int, groups: Sequence[Group]) -> Iterator[list[Any]]:
    for group in groups:
        for row in attempt_rows(step, group):
            yield [step, *(_cell(row[name]) for name in COLUMNS[1:])]


def _cell(value: Any) -> Any:
    return value if isinstance(value, float | int | str | None) else str(value)
