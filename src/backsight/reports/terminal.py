"""Output to a terminal, pipe or file that may fail: what is printed never ends a run.

Text of models and data is only shown: control characters in it are written out.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

from rich.console import Console

from backsight.errors import printable


class SteadyStream:
    """A text stream over another one, which prints other characters in place of those that its encoding lacks.

    It falls silent once nobody reads it any more, or its disk is full.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._falling_silent():
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                encoding = self._stream.encoding
                self._stream.write(text.encode(encoding, "replace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        with self._falling_silent():
            self._stream.flush()

    @contextlib.contextmanager
    def _falling_silent(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError):  # ValueError: the stream is closed
            with contextlib.suppress(OSError, ValueError):  # what is in its buffer goes nowhere as well
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)


def steady(stream: TextIO | None) -> TextIO | None:
    """Return a stream over this one that never fails; None, the output of a program without one, as it is."""
    if stream is None or isinstance(stream, SteadyStream):
        return stream
    return cast(TextIO, SteadyStream(stream))


@contextlib.contextmanager
def steady_output() -> Iterator[None]:
    """Let everything that is printed inside the block go to streams that never fail."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(steady, before)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        sys.stdout, sys.stderr = before


def printable_lines(text: str) -> str:
    """Return a text of several lines with all control characters written out but those that end a line, and tabs."""
    return "".join(part if part in ("\n", "\t") else printable(part) for part in re.split(r"([\n\t])", text))


def say(console: Console, text: str) -> None:
    """Print a line as it stands, without markup, colours or breaks, and with control characters written out."""
    console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
