"""The ways in which the command line ends: exit codes, and one line on what went wrong.

| exit code | what happened |
|---|---|
| 0 | all went well |
| 2 | something has to be put right: words, settings, data, a model, a disk that is full |
| 1 | a fault of backsight; the line says in which file the trace is |
| 130 | interrupted |
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
import threading
import time
import traceback
from typing import Any, NoReturn

import typer

from backsight.cli.arguments import INTERRUPTED
from backsight.distributed.environment import are_several, may_speak
from backsight.errors import BacksightError, one_line, reason

REFUSED, FAULT = 2, 1
SECONDS_TO_LEAVE = 5.0
"""Time that threads of others have to end after an error; those that hang would keep the program alive for ever."""
LOOK = 0.2
"""Seconds between two looks whether the program is ending."""
ClickException: Any = next(each for each in typer.BadParameter.__mro__ if each.__name__ == "ClickException")
"""The class of all errors in words. Some releases of Typer take it from click, others bring their own."""
_OF_A_DISK = ("EACCES", "EPERM", "ENOENT", "ENOTDIR", "EISDIR", "EROFS", "ENOSPC", "EDQUOT", "EFBIG", "ENAMETOOLONG")
DISK_ERRORS = {getattr(errno, name) for name in (*_OF_A_DISK, "ELOOP", "EIO", "ESTALE", "EMFILE", "ENFILE", "EEXIST")}
"""Numbers of the errors that are a disk's or a path's, and not a fault of the program."""


def end_in_one_line(app: typer.Typer) -> NoReturn:
    """Run the command line to its end, and exit. Whatever is raised ends in one line on the standard error stream."""
    try:
        _run(app)
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else FAULT if ending.code else 0
        if are_several():  # torch's threads that talk to other ranks now and then abort a process that winds down
            _leave(code)
        if code:
            _Leaving.within(SECONDS_TO_LEAVE, code)
        raise


def _run(app: typer.Typer) -> NoReturn:
    try:
        sys.exit(app(standalone_mode=False, prog_name="backsight") or 0)
    except BacksightError as error:
        _end(one_line(error.field, error.value, error.remedy), REFUSED)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(INTERRUPTED)
    except ClickException as error:
        if not sys.argv[1:]:
            error.show()  # the help
            sys.exit(REFUSED)
        _end(_wrong_words(error), REFUSED)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            _end(_fault(error), FAULT)
        remedy = f"{error.strerror}; make room, set its permissions or name another place"
        _end(one_line("file", error.filename or "unnamed", remedy), REFUSED)
    except SystemExit:
        raise
    except BaseException as error:  # libraries in Rust panic with classes that are no `Exception`
        _end(_fault(error), FAULT)


class _Leaving(threading.Thread):
    """Ends a program that was told to end, and that threads of somebody else's keep alive: Python waits for them."""

    current: _Leaving | None = None

    def __init__(self, seconds: float) -> None:
        super().__init__(name="leaving", daemon=True)
        self.seconds, self.code = seconds, FAULT

    @classmethod
    def within(cls, seconds: float, code: int) -> None:
        """See to it that the program has ended so many seconds after it began to end, with this code."""
        if cls.current is None:
            cls.current = cls(seconds)
            cls.current.start()
        cls.current.code = code

    def run(self) -> None:
        while not _is_leaving():
            time.sleep(LOOK)
        time.sleep(self.seconds)
        _leave(self.code)


def _leave(code: int) -> NoReturn:
    """Leave the program at once, without a word to threads that are still there."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def _is_leaving() -> bool:
    """Return whether the main thread has left the program, and waits for other threads to end."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
    return frame is None or frame.f_globals.get("__name__") == "threading"


def _end(line: str, code: int) -> NoReturn:
    """Say why the program ends, unless another rank has said so, and exit."""
    if may_speak():
        print(f"error: {line}", file=sys.stderr)
    sys.exit(code)


def _wrong_words(error: Any) -> str:
    command = error.ctx.command_path if getattr(error, "ctx", None) is not None else "backsight"
    return one_line(command, " ".join(sys.argv[1:]), f"{error.format_message().rstrip('.')}; see {command} --help")


def _fault(error: BaseException) -> str:
    """Write the trace to a file, and return the line that names it."""
    try:
        with tempfile.NamedTemporaryFile("w", prefix="backsight-", suffix=".txt", delete=False) as file:
            traceback.print_exception(error, file=file)
        place = f"with the trace in {file.name}"
    except OSError as full:
        place = f"(the trace could not be written: {reason(full)})"
    return one_line("backsight", reason(error), f"this is a fault of backsight itself; please report it {place}")
