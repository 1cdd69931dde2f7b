"""The standard streams of commands that people talk to: what is read, and what is said beside the answers."""

from __future__ import annotations

import sys
from collections.abc import Callable

from backsight.errors import DataError, printable


def read_text(read: Callable[[], str]) -> str:
    """Return what the function reads from standard input.

    Raises:
        DataError: when it is not text in the encoding of the terminal.
    """
    try:
        text = read()
        text.encode("utf-8")  # some terminals pass on bytes that are no characters, as such that no file can hold
    except UnicodeError as error:
        remedy = f"is not in the terminal's encoding ({sys.stdin.encoding}); write text, or set another encoding"
        raise DataError("standard input", "what was read", remedy) from error
    return text


def note(text: str) -> None:
    """Say something that is no answer: on the standard error stream, so that answers stand alone in a file."""
    print(printable(text), file=sys.stderr, flush=True)
