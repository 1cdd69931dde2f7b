"""What a report is made of, before it is a page, Markdown or something in a terminal. Nothing in it is markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Band(Protocol):
    """A curve and what it lies within; all of the same length."""

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
    """Row to column to text; see `columns`."""

    title: str
    rows: Mapping[str, Mapping[str, str]]
    note: str = ""

    @property
    def columns(self) -> list[str]:
        """Every column that some row has. A cell that a row does not have is shown as a dash."""
        return list(dict.fromkeys(column for cells in self.rows.values() for column in cells))


@dataclass(frozen=True, slots=True)
class Figure:
    """Curves by name; `unit` is what they run over."""

    title: str
    unit: str
    curves: Mapping[str, Band]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Facts by name, what has to be said of them, and the tables and figures in their order."""

    title: str
    facts: Mapping[str, str]
    notes: Sequence[str]
    parts: Sequence[Table | Figure]

    @property
    def tables(self) -> list[Table]:
        return [part for part in self.parts if isinstance(part, Table)]
