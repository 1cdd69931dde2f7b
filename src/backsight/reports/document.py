"""The parts of a report, before it becomes a page, Markdown or text in a terminal. Nothing in them is markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Band(Protocol):
    """A curve (`mean`) within a band (`low` to `high`), over how much was `used`. All have the same length."""

    @property
    def used(self) -> Sequence[float]: ...
    @property
    def mean(self) -> Sequence[float]: ...
    @property
    def low(self) -> Sequence[float]: ...
    @property
    def high(self) -> Sequence[float]: ...


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the text of each cell, by row and column."""

    title: str
    rows: Mapping[str, Mapping[str, str]]
    note: str = ""

    @property
    def columns(self) -> list[str]:
        """All columns that some row has. A cell that a row does not have is shown as a dash."""
        return list(dict.fromkeys(column for cells in self.rows.values() for column in cells))


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure: curves by name, over what was used, counted in `unit`."""

    title: str
    unit: str
    curves: Mapping[str, Band]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A report: facts by name, notes on them, and the tables and figures in order."""

    title: str
    facts: Mapping[str, str]
    notes: Sequence[str]
    parts: Sequence[Table | Figure]

    @property
    def tables(self) -> list[Table]:
        return [part for part in self.parts if isinstance(part, Table)]
