"""Runs in processes of their own, which are forked: a fresh interpreter would take ten times as long as the run.

The parent imports everything and computes nothing, so that it has no threads that a fork would lose.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.campaign.kinds import STEPS, Kind

LONGEST = 120.0
"""Seconds after which a run counts as hanging."""
Setup = Callable[[], None]
"""A function that is called in the new process, before anything else."""


@dataclass(slots=True)
class Started:
    """A run in a process."""

    pid: int
    log: Path
    began: float = field(default_factory=time.monotonic)
    code: int | None = None
    """The exit code, once the process has ended; below zero, the signal that killed it."""

    def has_ended(self) -> bool:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def wait(self, seconds: float = LONGEST) -> int | None:
        """Wait for the end, and return the exit code; None when the process is still running."""
        while not self.has_ended() and time.monotonic() - self.began < seconds:
            time.sleep(0.005)
        return self.code

    def end(self) -> int:
        """Wait for the end, and return the exit code. What hangs is killed, and has the code of that."""
        if self.wait() is None:
            self.send(signal.SIGKILL)
            while not self.has_ended():
                time.sleep(0.005)
        assert self.code is not None
        return self.code

    def send(self, number: int) -> None:
        if not self.has_ended():
            os.kill(self.pid, number)

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    @property
    def last_line(self) -> str:
        lines = self.output.strip().splitlines()
        return lines[-1] if lines else "nothing was printed"

    def fault_as_error(self, *words: str) -> str | None:
        """Return what is wrong with the end of a run that had to fail with one line, with one of these words in it."""
        if self.code != 2:
            return f"exit code {self.code}: {self.last_line}"
        if "Traceback" in self.output or not self.last_line.startswith("error: ") or len(self.last_line) > 300:
            return f"not one line of error: {self.last_line}"
        if not any(word in self.last_line for word in words):
            return f"says nothing of {' or '.join(words)}: {self.last_line}"
        return None


def start(kind: Kind, kit: Path, folder: Path, setup: Setup = lambda: None, steps: int = STEPS) -> Started:
    """Begin the run in a folder, or go on with it."""
    log = folder.parent.with_suffix(".log")
    log.unlink(missing_ok=True)
    folder.parent.mkdir(exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    # the log is there when this function returns, so that it can be renamed before a second run starts
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    pid = os.fork()
    if pid:
        os.close(descriptor)
        return Started(pid, log)
    code = 1
    try:
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        setup()
        code = _run(kind, kit, folder, steps)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _run(kind: Kind, kit: Path, folder: Path, steps: int) -> int:
    from backsight.cli.main import main
    from backsight.errors import BacksightError
    from backsight.interrupts import treat_all_as_ctrl_c

    sys.argv = ["backsight", *kind.resuming(kit, folder, steps)]
    try:
        if kind.command is None:
            main()
        else:
            treat_all_as_ctrl_c()
            kind.command(folder, steps)
    except BacksightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except SystemExit as ending:
        return int(ending.code or 0)
    finally:
        sys.stdout.flush()
    return 0


WRITES = re.compile(r"os\.(rename|remove|rmdir|mkdir|chmod)|shutil\.rmtree")


def at_each_write(folder: Path, call: Callable[[int], None]) -> None:
    """Call a function, in this process, with a number, whenever it is about to change something in the folder."""
    count = 0

    def look(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event == "open":
            path, _, flags = arguments
            if not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return
        elif WRITES.fullmatch(event):
            path = arguments[0]
        else:
            return
        if isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith(f"{folder}/"):
            count += 1
            call(count)

    sys.addaudithook(look)


def killing_itself(folder: Path, number: int, seconds: float) -> Setup:
    """Return a setup that kills the process so many seconds after it began the write of this number."""

    def kill() -> None:
        time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGKILL)

    def call(count: int) -> None:
        if count == number:
            threading.Thread(target=kill, daemon=True).start() if seconds else kill()

    return lambda: at_each_write(folder, call)
