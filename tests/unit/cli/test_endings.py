"""How the command line ends, whatever is raised."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backsight.cli.endings import end_in_one_line
from backsight.errors import DataError

End = Callable[[BaseException], tuple[int, str]]


class Panic(BaseException):
    """What libraries in Rust raise: no `Exception`."""


@pytest.fixture
def end(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> End:
    """The exit code and the line of a command that raises this."""
    monkeypatch.setattr("sys.argv", ["backsight", "train"])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def end(error: BaseException) -> tuple[int, str]:
        def app(**how: object) -> None:
            raise error

        with pytest.raises(SystemExit) as ended:
            end_in_one_line(app)  # type: ignore[arg-type]
        printed = capsys.readouterr()
        assert printed.out == "" and printed.err.count("\n") == 1 and len(printed.err) <= 300
        return int(ended.value.code or 0), printed.err

    return end


@pytest.mark.parametrize(
    "error", [RuntimeError("index 3\nis out of bounds"), KeyError("x"), Panic("at ’lib.rs’"), TypeError()]
)
def test_what_nobody_foresaw_is_a_fault_of_backsight_and_leaves_its_trace(
    error: BaseException, end: End, tmp_path: Path
) -> None:
    code, line = end(error)
    assert code == 1
    assert f"{type(error).__name__}" in line or str(error).split()[0] in line
    assert "this is a fault of backsight itself; please report it with the trace in " in line
    (trace,) = tmp_path.iterdir()
    assert str(trace.name) in line
    assert "Traceback" in trace.read_text() and "raise error" in trace.read_text()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.ENAMETOOLONG, errno.EROFS, errno.EISDIR])
def test_a_disk_that_refuses_is_no_fault_of_backsight(number: int, end: End, tmp_path: Path) -> None:
    code, line = end(OSError(number, "No room", "runs/a/x" * 1_000))
    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert line.startswith("error: file: runs/a/x") and "No room; make room" in line


def test_another_error_of_the_system_is_a_fault(end: End) -> None:
    assert end(OSError(errno.EBADF, "Bad file descriptor"))[0] == 1
    assert end(OSError("no number"))[0] == 1


def test_a_line_is_short_and_holds_nothing_that_a_terminal_obeys(end: End) -> None:
    code, line = end(DataError("d.jsonl:1", "\x1b[31m\u2028" * 99, f"mend {'the ' * 200} line"))
    assert code == 2
    assert line.startswith("error: d.jsonl:1: \\x1b[31m") and line.endswith("the line\n") and "…" in line
    assert line[:-1].isprintable()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["bogus"], "error: backsight: bogus: No such command 'bogus'; see backsight --help"),
        (
            ["train", "--what"],
            "error: backsight train: train --what: No such option: --what; see backsight train --help",
        ),
        (["evaluate"], "error: backsight evaluate: evaluate: Missing argument 'PRESET'; see backsight evaluate --help"),
        (["compare", "x", "--seeds", "three"], "error: backsight compare: compare x --seeds three: Invalid value for"),
    ],
)
def test_wrong_words_are_one_line(words: list[str], line: str, backsight: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = backsight(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(line)


@pytest.mark.parametrize(
    "thread", ["ThreadPoolExecutor().submit(time.sleep, 60)", "Thread(target=time.sleep, args=[60]).start()"]
)
def test_threads_of_others_that_hang_do_not_keep_a_program_alive_that_failed(thread: str) -> None:
    program = f"""
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from backsight.cli import endings
from backsight.errors import RewardError
endings.SECONDS_TO_LEAVE = 0.5
def app(**how):
    {thread}
    raise RewardError("reward function 'slow'", "hangs", "mend it")
endings.end_in_one_line(app)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=40, check=False)
    assert (ended.returncode, ended.stderr) == (2, "error: reward function 'slow': hangs: mend it\n")
