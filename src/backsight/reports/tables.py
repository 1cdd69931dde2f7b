"""Results as tables in the terminal. Any class with the fields named here can be shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from rich.table import Table
from rich.text import Text


class Interval(Protocol):
    """A mean and the ends of its 95 % interval."""

    @property
    def mean(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


class SplitScores(Protocol):
    """What came of one split: the reward, and the named rewards it is made of."""

    @property
    def reward(self) -> Interval: ...
    @property
    def rewards(self) -> Mapping[str, Interval]: ...


def interval_text(interval: Interval, *, as_percent: bool = False) -> str:
    """``0.353 (0.310–0.400)``, or the same as ``35 % (31–40)``."""
    if as_percent:
        return f"{100 * interval.mean:.0f} % ({100 * interval.low:.0f}–{100 * interval.high:.0f})"
    return f"{interval.mean:.3f} ({interval.low:.3f}–{interval.high:.3f})"


def text_table(title: str, rows: Mapping[str, Mapping[str, str]]) -> Table:
    """Row to column to text. A cell that a row does not have stays a dash; nothing is read as markup."""
    table = Table(title=Text(title), title_justify="left")
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    table.add_column("")
    for column in columns:
        table.add_column(Text(column), justify="right")
    for label, cells in rows.items():
        table.add_row(Text(label), *(Text(cells.get(column, "–")) for column in columns))
    return table


def scores_table(title: str, evaluations: Mapping[str, Mapping[str, SplitScores]]) -> Table:
    """Evaluations side by side (before, after, ...): one row a split and reward."""
    rows: dict[str, dict[str, str]] = {}
    for column, splits in evaluations.items():
        for split, scores in splits.items():
            for name, interval in {"reward": scores.reward, **scores.rewards}.items():
                rows.setdefault(f"{split}: {name}", {})[column] = interval_text(interval)
    return text_table(title, rows)
