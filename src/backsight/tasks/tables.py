"""Rows that are at hand in Python: lists of dictionaries, data sets of `datasets`, frames of pandas and polars.

None of these libraries is imported here: what a table is, is told by what it can do.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any

import numpy

from backsight.errors import DataError, border, shown
from backsight.settings import plain_value
from backsight.tasks.files import Rows, arrow_rows, check_names, read_rows

Source = str | os.PathLike[str] | Sized
"""A path or a name of the Hub (see `read_rows`), or rows at hand: a list of dictionaries, a `datasets.Dataset`, a frame
of pandas or polars. Where it stands for all splits, also a `datasets.DatasetDict`, or another dictionary of sources by
split."""

_SHAPES = "give a path, a hub id, a list of dictionaries, a datasets.Dataset, or a frame of pandas or polars"


def read_source(source: Source) -> Rows:
    """Read all rows of a source, as dictionaries from column to value.

    Cells of rows at hand hold plain values of Python: numbers and arrays of other libraries are converted, and what
    stands for a missing value (NaN, NaT, NA) is None.

    Raises:
        DataError: when it is no source, is empty or malformed, or cannot be read.
    """
    if isinstance(source, str | os.PathLike):
        return read_rows(source)
    place = source_name(source)
    if not isinstance(source, Sized) and isinstance(source, Iterable):
        taken = "list(rows.take(1000))" if hasattr(source, "take") else "list(rows)"
        raise DataError("data", place, f"has no length; take as many rows as you need: {taken}")
    with border(lambda reason: DataError("data", place, f"{reason}; {_SHAPES}")):
        rows = [_plain_row(f"{place}: row {number}", row) for number, row in enumerate(_rows_of(source, place), 1)]
    if not rows:
        raise DataError("data", place, "holds no rows; give at least one")
    return rows


def source_name(source: Source) -> str:
    """Return what a source is called in messages."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    return "the list of rows" if isinstance(source, list | tuple) else f"the {type(source).__name__}"


def source_by_split(data: Source, test: Source | None) -> tuple[Source, Source | None]:
    """Return the sources to train and to test on: of a dictionary of splits, its `train` and its `test` (or else its
    `validation`), unless `test` is given.

    Raises:
        DataError: when the dictionary has no split to train on.
    """
    if not isinstance(data, Mapping):
        return data, test
    if "train" not in data:
        raise DataError("data", f"{source_name(data)} of {', '.join(map(str, data))}", "has no split 'train'; name one")
    held_out = data.get("test", data.get("validation"))
    return data["train"], held_out if test is None else test


def _rows_of(table: Any, place: str) -> Iterable[Any]:
    if isinstance(table, list | tuple):
        return table
    if hasattr(table, "with_format") and hasattr(table, "column_names"):  # datasets
        return arrow_rows(table.with_format("arrow")[:])
    if hasattr(table, "to_dicts"):  # polars
        return list(table.to_dicts())
    if hasattr(table, "columns") and hasattr(table, "iloc"):  # pandas
        names = list(map(str, table.columns))
        check_names(place, names)
        # the arrays keep their kinds of number, which a conversion to dictionaries would widen
        columns = [table.iloc[:, number].array for number in range(len(names))]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    raise DataError("data", shown(table), _SHAPES)


def _plain_row(place: str, row: Any) -> dict[str, Any]:
    if not isinstance(row, Mapping) or not all(isinstance(name, str) for name in row):
        raise DataError(place, shown(row), 'no row; write {"column": value}')
    return {name: _plain_cell(f"{place}, column '{name}'", cell) for name, cell in row.items()}


def _plain_cell(place: str, cell: Any) -> Any:
    if isinstance(cell, str):
        if any("\ud800" <= character <= "\udfff" for character in cell):
            raise DataError(place, shown(cell), "holds half a character, which no file can hold; mend the text")
        return str(cell)
    if isinstance(cell, numpy.ndarray) and cell.ndim:
        cell = list(cell)
    if isinstance(cell, Mapping):
        return {name: _plain_cell(place, value) for name, value in cell.items()}
    if isinstance(cell, Sequence) and not isinstance(cell, bytes):
        return [_plain_cell(place, value) for value in cell]
    if isinstance(cell, numpy.float16 | numpy.float32):
        cell = float(str(cell))
    return None if is_none(cell) else plain_value(cell)


def is_none(cell: Any) -> bool:
    """Return whether a cell stands for a missing value: "not a number", "not a time", NA."""
    try:
        return bool(cell != cell)
    except (ValueError, TypeError, ArithmeticError):  # pandas' NA does not say
        return type(cell).__name__ == "NAType"
