"""The lines that a run has written since somebody last looked, in pieces of a limited size."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from backsight.errors import RunFolderError

LONGEST_LINE = 64 * 10**6
"""Most bytes of a line; a longer one is left out."""
BLOCK = 2**20
"""Bytes that are read at once where the beginning of the newest lines is sought."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Window:
    """How much is read of a file."""

    newest_bytes: int
    """Bytes at the end of the file at the first look; what lies before them is left out."""
    newest_lines: int
    """The same in lines."""
    bytes_at_once: int
    """Bytes of one look; the next one goes on behind them."""


@dataclass(slots=True)
class News:
    """Rows that are new, and where the next look begins."""

    rows: list[Row] = field(default_factory=list)
    cursor: str = ""
    """The place behind the last whole line, and the file that it is a place of."""
    is_anew: bool = True
    """Whether the file was begun anew since the last look, as by a run that resumes: earlier rows are no more."""
    skipped_bytes: int = 0
    """Bytes at the beginning of the file that are left out."""
    num_damaged: int = 0
    """Number of lines that are left out because they are no JSON, or say no step."""
    has_more: bool = False

    def as_dict(self) -> Mapping[str, Any]:
        """Return all but the rows."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "rows"}


def read_news(path: Path, cursor: str, window: Window) -> News:
    """Read the lines of a JSON Lines file behind a cursor, which is empty at the first look.

    A last line that is only half there is left for the next look. A file that does not exist has no lines yet.

    Raises:
        RunFolderError: when the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return _read(file, cursor, window)
    except FileNotFoundError:
        return News()
    except OSError as error:
        raise RunFolderError("run folder", path, f"cannot be read ({error.strerror}); mend its rights") from error


def _read(file: IO[bytes], cursor: str, window: Window) -> News:
    state = os.fstat(file.fileno())
    held, _, place = cursor.partition("-")
    goes_on = held == str(state.st_ino) and place.isdecimal() and int(place) <= state.st_size
    start = int(place) if goes_on else _start_of_newest(file, state.st_size, window)
    news = News(is_anew=not goes_on, skipped_bytes=0 if goes_on else start)
    file.seek(start)
    end = start
    while line := file.readline(LONGEST_LINE):
        if not line.endswith(b"\n"):
            if len(line) < LONGEST_LINE:
                break
            _skip_line(file)
        _add(news, line)
        end = file.tell()
        if end - start >= window.bytes_at_once:
            news.has_more = end < state.st_size
            break
    news.cursor = f"{state.st_ino}-{end}"
    return news


def _add(news: News, line: bytes) -> None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if isinstance(row, dict) and isinstance(row.get("step"), int):
        news.rows.append(row)
    else:
        news.num_damaged += 1


def _skip_line(file: IO[bytes]) -> None:
    while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
        pass


def _start_of_newest(file: IO[bytes], size: int, window: Window) -> int:
    """Return where the newest lines begin, looking at no more than they hold."""
    lowest = max(0, size - window.newest_bytes)
    start, lines_left = size, window.newest_lines
    while start > lowest:
        begin = max(lowest, start - BLOCK)
        file.seek(begin)
        block = file.read(start - begin)
        ends = block.count(b"\n")
        if ends > lines_left:
            for _ in range(ends - lines_left):
                block = block[block.index(b"\n") + 1 :]
            return start - len(block)
        start, lines_left = begin, lines_left - ends
    if lowest == 0:
        return 0
    file.seek(lowest)
    _skip_line(file)
    return file.tell()
