"""What is printed never ends a run: another encoding, nobody who reads, a full disk, a closed stream.

Text of models and data in the terminal is shown, and commands nothing.
"""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from backsight.errors import DataError, printable
from backsight.reports.document import Report, Table
from backsight.reports.markdown import markdown
from backsight.reports.progress import TrainingProgress
from backsight.reports.tables import answers_table, text_table
from backsight.reports.terminal import SteadyStream, printable_lines, say, steady, steady_output

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


EVIL = "\x1b[2Jgone\x07\u2028\u202eevil\r\n\x9b\x00\ud800"
SHOWN = r"\x1b[2Jgone\x07\u2028\u202eevil\r\n\x9b\x00\ud800"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (EVIL, SHOWN),
        ("95 % – naïve 今 👩‍🍳 می‌خواهم a\u00a0b\u3000c", "95 % – naïve 今 👩‍🍳 می‌خواهم a\u00a0b\u3000c"),
        ("", ""),
        ("a\tb\ufeff\u200e", r"a\tb\ufeff\u200e"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_lines_and_tabs_of_an_answer_stay() -> None:
    assert printable_lines(f"a\n\tb{EVIL}") == "a\n\tb" + SHOWN.replace(r"\n", "\n")
    assert printable_lines("") == ""


def test_every_way_to_the_terminal_writes_them_out() -> None:
    console = Console(file=io.StringIO(), width=500)
    say(console, f"[bold]{EVIL}")
    console.print(text_table(EVIL, {EVIL: {EVIL: EVIL}}))
    console.print(answers_table(EVIL, {EVIL: [EVIL]}))
    progress = TrainingProgress("outcome", console=console)
    progress.tell(EVIL)
    written = console.file.getvalue()  # type: ignore[attr-defined]
    assert written.startswith(f"[bold]{SHOWN}\n")
    assert all(line.replace("─", "").isprintable() for line in written.split("\n"))
    assert written.count("gone") == written.count(r"\x1b[2Jgone") == 9


def test_errors_are_one_line_whatever_they_hold() -> None:
    line = str(DataError(f"row {EVIL}", EVIL, f"mend {EVIL}"))
    assert line.isprintable() and line.count("gone") == 3


def test_markdown_is_often_read_in_a_terminal() -> None:
    text = markdown(Report(EVIL, {EVIL: EVIL}, [EVIL], [Table(EVIL, {EVIL: {EVIL: EVIL}}, EVIL)]))
    assert all(line.isprintable() for line in text.split("\n"))
