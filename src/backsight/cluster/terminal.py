"""What the ranks of a run and the program that has placed them tell each other: lines to print, and that it is to end.

The ranks print on machines of the cluster, and their user sits before another one. A `Terminal` stands between them: an
object beside the program, which the ranks call. `Relay` is the stream that they print to.
"""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field

from backsight.errors import BacksightError

SECONDS = 0.5
"""Longest time that a reader waits for news."""

OUT, ERR = "stdout", "stderr"


@dataclass(slots=True)
class News:
    """What the ranks have said since somebody asked last."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    """Pieces of text, each with the name of the stream that it goes to."""
    ending: BacksightError | None = None
    """Why the run has to end, where starting it again would not help."""


class Terminal:
    """The place where ranks leave what they have to say, and learn that the user wants the run to end."""

    def __init__(self) -> None:
        self._news = News()
        self._has_news, self._is_to_end = asyncio.Event(), asyncio.Event()
        self._starts = 0

    async def count_start(self) -> int:
        """Return how many times ranks were started before this one."""
        self._starts += 1
        return self._starts - 1

    async def write(self, stream: str, text: str) -> None:
        """Take a piece of text."""
        self._news.lines.append((stream, text))
        self._has_news.set()

    async def end(self, error: BacksightError) -> None:
        """Take the reason for which the run ends; that of the first rank that says one counts."""
        self._news.ending = self._news.ending or error
        self._has_news.set()

    async def read(self) -> News:
        """Return what is new, after a moment at most."""
        try:
            await asyncio.wait_for(self._has_news.wait(), SECONDS)
        except TimeoutError:
            return News()
        news, self._news = self._news, News()
        self._has_news.clear()
        return news

    async def ask_to_end(self) -> None:
        """Let the ranks know that the user wants the run to end after the step under way."""
        self._is_to_end.set()

    async def wait_for_end(self) -> None:
        """Return once the user wants the run to end."""
        await self._is_to_end.wait()


class Relay(io.TextIOBase):
    """A stream that hands whole lines to a function, or what there is of one when it is flushed."""

    def __init__(self, send: Callable[[str], object], is_terminal: bool) -> None:
        self._send, self._is_terminal, self._kept = send, is_terminal, ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def isatty(self) -> bool:
        return self._is_terminal

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        whole, newline, rest = (self._kept + text).rpartition("\n")
        self._kept = rest
        if newline:
            self._send(whole + newline)
        return len(text)

    def flush(self) -> None:
        kept, self._kept = self._kept, ""
        if kept:
            self._send(kept)


def own_manners() -> dict[str, str]:
    """Return the variables of the environment that tell a program how wide this terminal is, and what it can show."""
    known = {name: os.environ[name] for name in ("COLUMNS", "LINES", "TERM", "NO_COLOR") if name in os.environ}
    if sys.stdout.isatty():
        size = shutil.get_terminal_size()
        known |= {"COLUMNS": str(size.columns), "LINES": str(size.lines)}
    return known


@contextmanager
def own_streams() -> Iterator[Callable[[News], None]]:
    """Yield a function that prints what the ranks have said; whatever else is printed inside the block is dropped.

    Ray tells the program that has placed a run of each machine it loses, in dozens of lines.
    """
    streams = {OUT: sys.stdout, ERR: sys.stderr}

    def show(news: News) -> None:
        for name, text in news.lines:
            streams[name].write(text)
            streams[name].flush()

    nowhere = Relay(lambda text: None, is_terminal=False)
    with redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield show
