"""What is printed never ends a run: another encoding, nobody who reads, a full disk, a closed stream."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backsight.reports.terminal import SteadyStream, steady, steady_output

TEXT = "größe – 日本 ━ ✓"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "shift_jis", "utf-8"])
def test_an_encoding_gets_what_it_has_characters_for(encoding: str) -> None:
    raw = io.BytesIO()
    stream = SteadyStream(io.TextIOWrapper(raw, encoding=encoding))
    assert stream.write(TEXT) == len(TEXT)
    stream.flush()
    assert raw.getvalue() == TEXT.encode(encoding, "replace")


def test_halves_of_characters_are_replaced() -> None:
    raw = io.BytesIO()
    stream = SteadyStream(io.TextIOWrapper(raw, encoding="utf-8"))
    stream.write("a\ud800b")
    stream.flush()
    assert raw.getvalue() == b"a?b"


def test_nobody_has_to_read(capfd: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = SteadyStream(os.fdopen(writing, "w"))
    for _ in range(3):
        stream.write("word\n")
        stream.flush()
    stream.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_silences() -> None:
    with open("/dev/full", "w") as full:
        stream = SteadyStream(full)
        stream.write("word\n" * 10_000)
        stream.flush()


def test_a_closed_stream_is_silent() -> None:
    closed = io.StringIO()
    closed.close()
    stream = SteadyStream(closed)
    stream.write("word")
    stream.flush()
    assert steady(None) is None


def test_output_is_steady_inside_the_block_alone() -> None:
    before = sys.stdout
    with steady_output():
        assert isinstance(sys.stdout, SteadyStream) and steady(sys.stdout) is sys.stdout
    assert sys.stdout is before


@pytest.mark.parametrize("command", ["{0} --help | true", "{0} --help >/dev/full", "{0} --help >&-"])
def test_the_command_line_survives_its_reader(command: str) -> None:
    line = command.format(f"{sys.executable} -m backsight") + '; echo "${PIPESTATUS[0]}" >&2'
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert done.stderr == "0\n"
