"""The progress of training: a live line in a terminal, a printed line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from backsight.reports.terminal import say, steady

SECONDS_BETWEEN_LINES = 10
STEPS_IN_MEAN = 10


class TrainingProgress:
    """A context manager that shows the progress of training; call `update` after every step.

    Metrics are shown as means of the last `STEPS_IN_MEAN` steps, because those of a single step jump about.
    """

    def __init__(
        self,
        method: str,
        *,
        is_shown: bool = True,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._method = method
        self._is_shown = is_shown
        self._console = console or Console(file=steady(sys.stdout))
        self._clock = clock
        self._last_line = clock()
        self._first: tuple[float, float] | None = None
        self._recent: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=STEPS_IN_MEAN))
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[status]}", markup=False),
            console=self._console,
            disable=not (is_shown and self._console.is_terminal),
            refresh_per_second=2,  # the cores are for training
        )
        self._task = self._bar.add_task(method, total=None, status="starting")

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, *, step: int, attempts: int, metrics: Mapping[str, float], share: float) -> None:
        """Show the progress after a step.

        Args:
            step: number of the step.
            attempts: number of attempts so far.
            metrics: metrics of the step, by their logged names.
            share: share of the budget that is used up; 0 without a budget.
        """
        now = self._clock()
        for name, value in metrics.items():
            self._recent[name].append(value)
        parts = [f"step {step}", f"{attempts} attempts", *self._means(), *self._time_left(now, share)]
        status = " · ".join(parts)
        self._bar.update(self._task, completed=share, total=1.0, status=status)
        is_due = now - self._last_line >= SECONDS_BETWEEN_LINES or share >= 1.0
        if self._is_shown and not self._console.is_terminal and is_due:
            self._last_line = now
            say(self._console, f"{self._method}: {status}")

    def tell(self, message: str) -> None:
        """Print a message on a line that stays."""
        if self._is_shown:
            say(self._console, f"{self._method}: {message}")

    def _means(self) -> list[str]:
        means = {name: sum(values) / len(values) for name, values in self._recent.items()}
        formats = {"success": "success {:.0%}", "reward": "reward {:.2f}"}
        if "reward" not in means:  # nothing was sampled
            formats = {"loss/imitation": "loss {:.2f}"}
        return [text.format(means[name]) for name, text in formats.items() if name in means]

    def _time_left(self, now: float, share: float) -> list[str]:
        """Return the time left, from the second step on. The share that a resumed run starts with cost no time here."""
        if self._first is None:
            self._first = (now, share)
        first_time, first_share = self._first
        if share <= first_share:
            return []
        seconds = round((now - first_time) / (share - first_share) * (1.0 - share))
        return [f"{seconds // 60}:{seconds % 60:02d} left"]
