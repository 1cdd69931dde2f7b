"""Results as tables in the terminal. Any class with the fields named here can be shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from rich.table import Table
from rich.text import Text

from backsight.errors import printable
from backsight.reports.terminal import printable_lines

TIME = "time/"
SMALLEST_SHARE = 0.01


class Interval(Protocol):
    """A mean and the ends of its 95 % interval."""

    @property
    def mean(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


class Comparison(Protocol):
    """Difference of two policies, and how often it would arise by chance."""

    @property
    def difference(self) -> Interval: ...
    @property
    def p(self) -> float: ...


class SplitScores(Protocol):
    """Scores of one split: the reward, and the named rewards."""

    @property
    def reward(self) -> Interval: ...
    @property
    def rewards(self) -> Mapping[str, Interval]: ...


def interval_text(interval: Interval, *, as_percent: bool = False) -> str:
    """Return ``0.353 (0.310–0.400)``, or ``35 % (31–40)`` as a percentage; ``-0.012 (-0.020 to 0.004)`` below zero."""
    if as_percent:
        return f"{100 * interval.mean:.0f} % ({100 * interval.low:.0f}–{100 * interval.high:.0f})"
    digits = 1 if abs(interval.mean) >= 10 else 3
    mean, low, high = (f"{number:.{digits}f}" for number in (interval.mean, interval.low, interval.high))
    return f"{mean} ({low}{' to ' if interval.low < 0 else '–'}{high})"


def text_table(title: str, rows: Mapping[str, Mapping[str, str]]) -> Table:
    """Make a table from texts by row and column.

    A missing cell is shown as a dash, and nothing is read as markup or as a command to the terminal.
    """
    table = Table(title=Text(printable(title)), title_justify="left")
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    table.add_column("")
    for column in columns:
        table.add_column(Text(printable(column)), justify="right")
    for label, cells in rows.items():
        table.add_row(*(Text(printable(text)) for text in (label, *(cells.get(column, "–") for column in columns))))
    return table


def answers_table(title: str, answers: Mapping[str, Sequence[str]]) -> Table:
    """Make a table of answers side by side: a column for each who answered, a row for each sample."""
    table = Table(title=Text(printable_lines(title)), title_justify="left", show_lines=True, expand=True)
    for name in answers:
        table.add_column(Text(printable(name)), ratio=1, overflow="fold")
    for row in zip(*answers.values(), strict=True):
        table.add_row(*(Text(printable_lines(text)) for text in row))
    return table


def time_summary(rows: Sequence[Mapping[str, float]]) -> str:
    """Describe in one line where the time of a run went, from the rows of its metrics; empty if nothing was timed."""
    seconds = Counter[str]()
    for row in rows:
        seconds.update({name.removeprefix(TIME): value for name, value in row.items() if name.startswith(TIME)})
    if not (total := sum(seconds.values())):
        return ""
    shares = [f"{name} {share:.0%}" for name, share in _shares(seconds, total) if share >= SMALLEST_SHARE]
    parts = [f"a step takes {total / len(rows):.2f} s", ", ".join(shares)]
    formats = {
        "tokens_per_second/decode": "{:,.0f} tokens/s decoded",
        "matrix_rate/achieved": "{:.0%} of the rate of matrix products",
        "memory/peak_gib": "{:.1f} GiB at most",
    }
    return "; ".join([*parts, *(text.format(rows[-1][name]) for name, text in formats.items() if name in rows[-1])])


def _shares(seconds: Mapping[str, float], total: float) -> list[tuple[str, float]]:
    return sorted(((name, value / total) for name, value in seconds.items()), key=lambda pair: -pair[1])


def scores_table(title: str, evaluations: Mapping[str, Mapping[str, SplitScores]]) -> Table:
    """Make a table of evaluations side by side (before, after, ...), with one row for each split and reward."""
    named = {
        column: {split: {"reward": scores.reward, **scores.rewards} for split, scores in splits.items()}
        for column, splits in evaluations.items()
    }
    return estimates_table(title, named)


def estimates_table(title: str, estimates: Mapping[str, Mapping[str, Mapping[str, Interval]]]) -> Table:
    """Make a table of estimates by column, split and name, with one row for each split and name."""
    rows: dict[str, dict[str, str]] = {}
    for column, splits in estimates.items():
        for split, named in splits.items():
            for name, interval in named.items():
                rows.setdefault(f"{split}: {name}", {})[column] = interval_text(interval)
    return text_table(title, rows)


def differences_table(title: str, comparisons: Mapping[str, Mapping[str, Comparison]]) -> Table:
    """Make a table of comparisons by split and name, with one row for each."""
    rows = {
        f"{split}: {name}": {"difference": interval_text(each.difference), "p": f"{each.p:.4f}"}
        for split, named in comparisons.items()
        for name, each in named.items()
    }
    return text_table(title, rows)
