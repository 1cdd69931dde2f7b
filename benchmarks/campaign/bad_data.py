"""Damaged data files: rows with odd values, bytes, encodings, other formats, and files that are something else."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.campaign.cases import Case
from benchmarks.campaign.kit import ROWS, SMALL, Rows, copy
from benchmarks.campaign.odd_values import JSON_VALUES, bend, bend_bytes

Writer = Callable[[Path], None]


def data(kit: Path, seed: int, count: int) -> Iterator[Case]:
    """Yield damaged data files of every preset and format."""
    draw = random.Random(f"data {seed}")
    for name, file, write in _known():
        yield _case(kit, "sentiment", name, file, write)
    for number in range(count):
        preset = draw.choice(list(ROWS))
        name, file, content = _drawn(ROWS[preset], draw)
        yield _case(kit, preset, f"{number}: {name}", file, _bytes(file, content))


def _case(kit: Path, preset: str, name: str, file: str, write: Writer) -> Case:
    def make(folder: Path) -> None:
        copy(kit, "causal")(folder)
        write(folder)

    words = ["check", preset, f"data={file}", "policy=causal", *SMALL]
    return Case("data", f"{preset}: {name}", words, make)


def _bytes(file: str, content: bytes) -> Writer:
    def write(folder: Path) -> None:
        (folder / file).write_bytes(content)

    return write


def _drawn(rows: Rows, draw: random.Random) -> tuple[str, str, bytes]:
    match draw.randrange(8):
        case 0 | 1 | 2:
            return "rows bent", "f.jsonl", _lines(bend(rows, draw, draw.choice((1, 2, 10))))
        case 3:
            return "a column bent", "f.jsonl", _lines(_bend_column(rows, draw))
        case 4:
            return "lines bytes", "f.jsonl", bend_bytes(_lines(rows), draw)
        case 5:
            return "table bytes", "f.csv", bend_bytes(_table(rows), draw)
        case 6:
            return "packed bytes", "f.jsonl.gz", bend_bytes(gzip.compress(_lines(rows)), draw)
        case _:
            return _drawn_parquet(rows, draw)


def _bend_column(rows: Rows, draw: random.Random) -> list[Any]:
    column, value = draw.choice(list(rows[0])), draw.choice(JSON_VALUES)
    return [{**row, column: value} for row in rows]


def _drawn_parquet(rows: Rows, draw: random.Random) -> tuple[str, str, bytes]:
    from pyarrow import BufferOutputStream, Table, parquet

    sink = BufferOutputStream()
    parquet.write_table(Table.from_pylist(rows), sink)
    return "Parquet bytes", "f.parquet", bend_bytes(sink.getvalue().to_pybytes(), draw)


def _lines(rows: Any) -> bytes:
    rows = rows if isinstance(rows, list) else [rows]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _table(rows: Rows) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(rows[0])
    writer.writerows([json.dumps(cell) if isinstance(cell, list) else cell for cell in row.values()] for row in rows)
    return text.getvalue().encode()


def _known() -> Iterator[tuple[str, str, Writer]]:
    rows = ROWS["sentiment"]
    lines, table = _lines(rows), _table(rows)
    for name, content in _known_bytes(lines):
        yield f"lines {name}", "f.jsonl", _bytes("f.jsonl", content)
        yield f"table {name}", "f.csv", _bytes("f.csv", content)
        yield f"packed {name}", "f.csv.gz", _bytes("f.csv.gz", content)
        yield f"Parquet {name}", "f.parquet", _bytes("f.parquet", content)
    for encoding in ("utf-16", "utf-32", "utf-8-sig", "utf-7", "cp500"):
        yield f"lines in {encoding}", "f.jsonl", _bytes("f.jsonl", lines.decode().encode(encoding))
        yield f"table in {encoding}", "f.csv", _bytes("f.csv", table.decode().encode(encoding))
    yield "packed twice", "f.jsonl.gz", _bytes("f.jsonl.gz", gzip.compress(gzip.compress(lines)))
    yield "packed and cut", "f.jsonl.gz", _bytes("f.jsonl.gz", gzip.compress(lines)[:-9])
    for file in ("f", "f.txt", "f.zip", "f.jsonl.xz", "f.JSONL", "f.tsv", ".jsonl", "f.parquet.gz"):
        yield f"named {file}", file, _bytes(file, lines)
    yield from _known_places(lines)


def _known_places(lines: bytes) -> Iterator[tuple[str, str, Writer]]:
    yield "missing", "f.jsonl", lambda folder: None
    yield "a folder", "f.jsonl", lambda folder: (folder / "f.jsonl").mkdir()
    yield "a loop of links", "f.jsonl", lambda folder: (folder / "f.jsonl").symlink_to("f.jsonl")
    yield "a pipe", "f.jsonl", lambda folder: os.mkfifo(folder / "f.jsonl")
    yield "in a file", "f.jsonl/g.jsonl", _bytes("f.jsonl", lines)
    for place in ("/dev/zero", "/dev/stdin", "/proc/self/mem", "x" * 300 + ".jsonl", "a/" * 3_000 + "f.jsonl"):
        yield place[:40], place, lambda folder: None
    for place in ('"a\\0b.jsonl"', "''", "'  '", "~", "~nobody/f.jsonl", "owner/name", "owner/name:split", "[f.jsonl]"):
        yield place, place, lambda folder: None


def _known_bytes(lines: bytes) -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "blank", b"\n \n\t\n"
    yield "NUL", lines.replace(b"film", b"fi\0lm")
    yield "only NUL", b"\0" * 4_096
    yield "random", bytes(random.Random(0).randbytes(5_000))
    yield "one huge line", b'{"text": "' + b"a" * 3_000_000 + b'", "label": "good"}\n'
    yield "deep", b"[" * 200_000 + b"\n"
    yield "deep object", b'{"text": ' * 50_000 + b"\n"
    yield "huge number", b'{"text": 1' + b"0" * 6_000 + b', "label": "good"}\n'
    yield "an array", b"[" + b",".join(lines.split(b"\n")[:-1]) + b"]"
    yield "pretty", json.dumps([json.loads(line) for line in lines.splitlines()], indent=2).encode()
    yield "old Mac", lines.replace(b"\n", b"\r")
    yield "Windows", lines.replace(b"\n", b"\r\n")
    yield "surrogates", lines.replace(b"film", b"\\ud800")
    yield "escapes", lines.replace(b"film", b"\\u001b[31m\\u2028")
    yield "raw escapes", lines.replace(b"film", b"\x1b[31m\xe2\x80\xa8")
    yield "NaN", lines.replace(b'"good"', b"NaN")
    yield "HTML", b"<!DOCTYPE html>\n<html></html>\n"
    yield "a pointer of Git LFS", b"version https://git-lfs.github.com/spec/v1\nsize 9\n"
