"""Bad inputs, each tried through the command line in a process of its own: `try_cases` says what went wrong.

Right is an input that ends in time with exit code 2 and one line that names the field, the value and the remedy, or
with exit code 0 where it is fine in truth; and every file that was there before is there afterwards.
"""

from __future__ import annotations

import hashlib
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, cast

LONGEST_LINE = 300
SECONDS = 20.0
"""Time that one input may take."""
MEMORY = 8 * 2**30
"""Address space that one input may take, in bytes: what wants more has read or built without bound."""
REFUSED = 2
_WARNING = re.compile(r"^\S+:\d+: \w*Warning: .*\n(  .*\n)?", re.MULTILINE)
"""A warning as Python prints it: it may stand before the line."""
_MADE_AGAIN = re.compile(r"/checkpoints/|/(answers|traces)/step-0*[1-9]")
"""What a run may delete when it goes on: its oldest checkpoints, and, where it goes on from an older one, what it kept
of later steps. Step 0 is never one of them."""


@dataclass(frozen=True, slots=True)
class Case:
    """One input: the words of the command line, and the files that they name."""

    part: str
    name: str
    words: Sequence[str]
    write: Callable[[Path], None] = lambda folder: None
    """A function that writes the files into an empty folder, which is the working directory of the command."""
    is_fine: bool | None = None
    """Whether the input has to be accepted (True) or refused (False); None where either is right."""


class Outcome(NamedTuple):
    """What came of one input."""

    part: str
    name: str
    is_right: bool
    fault: str
    """What went wrong; empty when nothing did."""


def try_cases(cases: Sequence[Case], workers: int = 2) -> Iterator[Outcome]:
    """Try the inputs in several processes, and yield what came of each, in order."""
    global _cases
    _cases = cases  # a case holds functions, which cannot be sent: the workers inherit them
    with get_context("fork").Pool(workers) as pool:
        yield from pool.imap(_try, range(len(cases)), chunksize=4)


_cases: Sequence[Case] = ()


def _try(index: int) -> Outcome:
    case = _cases[index]
    place = Path(tempfile.mkdtemp(prefix="case-"))
    try:
        folder = place / "w"
        folder.mkdir()
        case.write(folder)
        before = _contents(folder)
        code = _run(case.words, folder, place)
        out, err = ((place / name).read_text(encoding="utf-8", errors="replace") for name in ("out", "err"))
        fault = _fault(case, code, out, err) or _loss(before, _contents(folder), code)
    except Exception as error:  # a generator's own mistake is a fault of the campaign, and is listed as one
        fault = f"the campaign itself: {type(error).__name__}: {error}"
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return Outcome(case.part, case.name, not fault, fault)


def _run(words: Sequence[str], folder: Path, place: Path) -> int | None:
    """Run the command line in a child; return its exit code, -N for a signal, None when it does not end in time."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = _child(words, folder, place)
        finally:
            os._exit(code)  # never back into the worker's own loop
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.004)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _child(words: Sequence[str], folder: Path, place: Path) -> int:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(place / name, os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(folder)
    tempfile.tempdir = str(place)
    for stream in (sys.stdout, sys.stderr):
        cast(TextIOWrapper, stream).reconfigure(encoding="utf-8")
    sys.argv = ["backsight", *words]
    from backsight.cli.main import main

    try:
        main()
        code: object = 0
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 0 if code is None else 1


def _fault(case: Case, code: int | None, out: str, err: str) -> str:
    """Return what is wrong with the way in which the command ended; empty when nothing is."""
    lines = [line for line in err.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if code is None:
        return f"hangs: no end after {SECONDS:g} s"
    if "Traceback" in err or "Traceback" in out:
        return f"traceback: {last}"
    if code not in (0, REFUSED):
        return f"exit code {code}: {last}"
    if code == 0:
        return "accepted, and is wrong" if case.is_fine is False else ""
    if case.is_fine:
        return f"refused, and is fine: {last}"
    return _fault_of_line(err)


def _fault_of_line(err: str) -> str:
    line, *more = [line for line in _WARNING.sub("", err).split("\n") if line.strip()] or [""]
    if more:
        return f"{1 + len(more)} lines: {line} … {more[-1]}"
    if not line.startswith("error: ") or line.count(": ") < 3:
        return f"no line with field, value and remedy: {line}"
    if len(line) > LONGEST_LINE:
        return f"a line of {len(line)} characters: {line}"
    if not line.isprintable():
        return f"control characters: {line!r}"
    return ""


def _contents(folder: Path) -> dict[str, str]:
    """Return a fingerprint of every file."""
    return {
        str(path.relative_to(folder)): hashlib.blake2b(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _loss(before: dict[str, str], after: dict[str, str], code: int | None) -> str:
    """Return which file of before is gone, or, when the input was refused, was changed; empty when none was."""
    for name, fingerprint in before.items():
        if name not in after and (code == REFUSED or not _MADE_AGAIN.search(name)):
            return f"lost: {name}"
        if code == REFUSED and after.get(name) != fingerprint and not name.startswith("run/"):  # a run may go on first
            return f"changed: {name}"
    return ""
