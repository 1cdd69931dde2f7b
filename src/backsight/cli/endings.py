"""The ways in which the command line ends: exit codes, and one line on what went wrong.

| exit code | what happened |
|---|---|
| 0 | all went well |
| 2 | something has to be put right: words, settings, data, a model, a disk that is full |
| 1 | a fault of backsight; the line says in which file the trace is |
| 130 | interrupted |
"""

from __future__ import annotations

import errno
import sys
import tempfile
import traceback
from typing import Any, NoReturn

import typer

from backsight.cli.arguments import INTERRUPTED
from backsight.errors import BacksightError, one_line, reason

REFUSED, FAULT = 2, 1
ClickException: Any = next(each for each in typer.BadParameter.__mro__ if each.__name__ == "ClickException")
"""The class of all errors in words. Some releases of Typer take it from click, others bring their own."""
_OF_A_DISK = ("EACCES", "EPERM", "ENOENT", "ENOTDIR", "EISDIR", "EROFS", "ENOSPC", "EDQUOT", "EFBIG", "ENAMETOOLONG")
DISK_ERRORS = {getattr(errno, name) for name in (*_OF_A_DISK, "ELOOP", "EIO", "ESTALE", "EMFILE", "ENFILE", "EEXIST")}
"""Numbers of the errors that are a disk's or a path's, and not a fault of the program."""


def end_in_one_line(app: typer.Typer) -> NoReturn:
    """Run the command line to its end, and exit. Whatever is raised ends in one line on the standard error stream."""
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


def _end(line: str, code: int) -> NoReturn:
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
