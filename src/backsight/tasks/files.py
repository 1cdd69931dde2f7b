"""Rows of data files (JSON Lines, CSV, Parquet) or of data sets of the Hugging Face Hub: `read_rows`.

An error in a text file names the place as ``FILE:LINE``. This is the only file that imports pyarrow and datasets, and
it does so only when a source needs them.
"""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy

from backsight.errors import DataError, border

Rows = list[dict[str, Any]]

UNPACKED_TIMES = 100
UNPACKED_FREE = 2**26
"""A compressed file may hold `UNPACKED_TIMES` as many bytes as it has, and `UNPACKED_FREE` on top: far more than any
text, and less than memory that a file made for the purpose would fill."""

_HUB_ID = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(:(?P<split>[\w.-]+))?")
_CHAT = re.compile(r"""\s*(array\()?\[\s*\{.*?["']role["']\s*:""", re.DOTALL)
_INSTALL = "pip install 'backsight[data]'"


def read_rows(source: str | os.PathLike[str]) -> Rows:
    """Read all rows of a data file or of a data set of the Hub, as dictionaries from column to value.

    `source` is a path to ``.jsonl``, ``.ndjson`` or ``.json`` (one object a line) or ``.csv`` (with a
    header), each also as ``.gz``, or to ``.parquet``; or it is ``owner/name`` or ``owner/name:split`` of the
    Hub (the split is ``train`` where not given). An existing path comes first. Text is UTF-8, with or without a byte
    order mark.

    Raises:
        DataError: when there is no such source, it is empty or malformed, or a library to read it is missing.
    """
    if not isinstance(source, str | os.PathLike):
        raise DataError("data", source, "name a file, or a data set of the Hub as owner/name")
    source = os.fspath(source)
    with border(lambda reason: DataError("data", source, f"{reason}; name a data file")):
        path = Path(source or " ").expanduser()
        exists = path.exists()
    reader = _READERS.get(_format(path))
    hub_id = _hub_id(source)
    if exists:
        if reader is None or not path.is_file():
            raise DataError(source, _format(path) or "no format", f"name a file of {', '.join(_READERS)}")
        with border(lambda reason: DataError(source, reason, "cannot be read; check its permissions and format")):
            rows = reader(path, source)
    elif hub_id is not None:
        rows = _read_hub(hub_id["name"], hub_id["split"] or "train")
    else:
        raise DataError("data", source, "there is no such file; a data set of the Hub is written owner/name")
    if not rows:
        raise DataError(source, "no rows", "the file is empty; name one with at least one row")
    return rows


def hub_name(source: str) -> str | None:
    """Return the name of a data set of the Hub, without its split; None for a file."""
    hub_id = None if Path(source).exists() else _hub_id(source)
    return None if hub_id is None else hub_id["name"]


def _hub_id(source: str) -> re.Match[str] | None:
    """Return the parts of what may be a data set of the Hub, if there is no such path."""
    is_path = source.startswith((".", "~")) or _format(Path(source)) in _READERS
    return None if is_path else _HUB_ID.fullmatch(source)


def _format(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def _read_text(path: Path, source: str) -> str:
    data = _unpacked(path, source) if path.suffix == ".gz" else path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{data[error.start]:02x}"
        raise DataError(f"{source}:{line}", byte, "not UTF-8; convert the file") from error


def _unpacked(path: Path, source: str) -> bytes:
    most = UNPACKED_TIMES * path.stat().st_size + UNPACKED_FREE
    with gzip.open(path) as file:
        data: bytes = file.read(most + 1)
    if len(data) > most:
        raise _too_large(source, most)
    return data


def _too_large(source: str, most: int) -> DataError:
    return DataError(source, f"more than {most:,} bytes unpacked", "no text is packed as densely; unpack it yourself")


def _read_json_lines(path: Path, source: str) -> Rows:
    rows = []
    # Not splitlines(), which would also cut at characters that may stand inside a JSON string, such as U+2028.
    for number, line in enumerate(_read_text(path, source).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_without_repeats)
            json.dumps(row, ensure_ascii=False).encode()  # a lone surrogate is legal JSON, but it is not text
        except _RepeatedName as error:
            raise DataError(f"{source}:{number}", line, f"two values are named {error}; keep one of them") from error
        except (ValueError, RecursionError) as error:
            raise DataError(f"{source}:{number}", line, f"not JSON ({error}); mend the line") from error
        if not isinstance(row, dict):
            raise DataError(f"{source}:{number}", line, 'no object; write one {"column": value} a line')
        rows.append(row)
    return rows


class _RepeatedName(ValueError):
    """A name that an object has twice, of which JSON would silently keep the last value."""


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        repeated = next(name for place, (name, _) in enumerate(pairs) if name in dict(pairs[:place]))
        raise _RepeatedName(repr(repeated))
    return values


def _read_csv(path: Path, source: str) -> Rows:
    text = _read_text(path, source)
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # a document may be longer than the module's guess
    records = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = []
    try:
        header = [name.strip() for name in next(records, [])]
        check_names(f"{source}:1", header)
        for record in records:
            if record and len(record) != len(header):
                remedy = f"{len(record)} fields where the header has {len(header)}; quote fields with commas"
                raise DataError(f"{source}:{records.line_num}", ",".join(record), remedy)
            if record:
                cells = (_chat_or_text(cell, f"{source}:{records.line_num}") for cell in record)
                rows.append(dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise DataError(f"{source}:{records.line_num}", error, "not CSV; mend the line") from error
    return rows


def _chat_or_text(cell: str, place: str) -> Any:
    """Return a cell of a CSV file: the messages that are written in it as JSON or in Python, or else its text."""
    if _CHAT.match(cell) is None:
        return cell
    messages = read_literal(cell)
    if not isinstance(messages, list):
        raise DataError(place, cell, "looks like chat messages, but is neither JSON nor Python; write it as JSON")
    return messages


def read_literal(text: str) -> Any:
    """Return the value of a JSON or Python literal; None for any other text."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None


def _read_parquet(path: Path, source: str) -> Rows:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(source, "pyarrow is not installed", f"to read Parquet: {_INSTALL}") from error
    try:
        file = pyarrow.parquet.ParquetFile(path)
        cells = file.metadata.num_rows * file.metadata.num_columns
        groups = (file.metadata.row_group(index).total_byte_size for index in range(file.metadata.num_row_groups))
        most = UNPACKED_TIMES * path.stat().st_size + UNPACKED_FREE
        if max(cells, sum(groups)) > most:
            raise _too_large(source, most)
        table = file.read()
        rows = arrow_rows(table)
    except DataError:
        raise
    except Exception as error:  # pyarrow's own classes, and those of dates, time zones and texts that Python has not
        remedy = "not a Parquet file that can be read; write it again"
        raise DataError(source, f"{type(error).__name__}: {error}", remedy) from error
    check_names(source, table.column_names)
    return rows


def arrow_rows(table: Any) -> Rows:
    """Return the rows of an Arrow table. Numbers of less than 64 bits get the fewest decimals that stand for them: 0.1
    in float32 is 0.10000000149 in Python."""
    rows: Rows = table.to_pylist()
    for name, column in zip(table.column_names, table.columns, strict=True):
        if str(column.type) in ("halffloat", "float"):
            precise = numpy.dtype(column.type.to_pandas_dtype()).type
            for row in rows:
                row[name] = None if row[name] is None else float(str(precise(row[name])))
    return rows


def check_names(place: str, names: Sequence[str]) -> None:
    """Raise `DataError` when two columns share a name, of which a row would silently keep the last."""
    if len(set(names)) < len(names):
        raise DataError(place, ",".join(names), "two columns share a name; rename one")


def _read_hub(name: str, split: str) -> Rows:
    try:
        import datasets
    except ImportError as error:
        remedy = f"no such file; to read it from the Hub: {_INSTALL}"
        raise DataError("data", f"{name}:{split}", remedy) from error
    try:
        rows: Rows = datasets.load_dataset(name, split=split).to_list()
    except Exception as error:  # the network, the Hub and the data set each raise classes of their own
        remedy = "it could not be loaded; check the name, the split and the network, or name a file"
        raise DataError(f"{name}:{split}", f"{type(error).__name__}: {error}", remedy) from error
    return rows


_READERS: dict[str, Callable[[Path, str], Rows]] = {
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json_lines,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
