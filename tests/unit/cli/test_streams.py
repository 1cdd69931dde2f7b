"""What is read from standard input, and what is said beside the answers."""

from __future__ import annotations

import io

import pytest

from backsight.cli.streams import note, read_text
from backsight.errors import DataError


def test_text_is_read() -> None:
    assert read_text(io.StringIO("grüß 今\n").readline) == "grüß 今\n"


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_what_is_no_text_is_refused(errors: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(b"caf\xe9\n"), encoding="utf-8", errors=errors)
    with pytest.raises(DataError, match="^standard input: what was read: is not in the terminal's encoding"):
        read_text(stream.readline)


def test_notes_go_to_the_other_stream(capsys: pytest.CaptureFixture[str]) -> None:
    note("a\x1b[2J\nb")
    assert tuple(capsys.readouterr()) == ("", "a\\x1b[2J\\nb\n")
