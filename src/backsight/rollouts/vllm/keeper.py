"""A program that keeps a server for as long as a run lives: `python keeper.py LOG COMMAND…`, with pipes to the run.

At the end of its input the run is over, whatever ended it, and the server is ended with all its processes. It is a
program of its own because a run that is killed can do nothing any more, and it needs the standard library alone. It
writes the number of the group of these processes, so that the run can end them if the keeper is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
"""Linux's number for the signal that a process gets when its parent ends (man 2 prctl)."""
PATIENCE = 15.0
"""Seconds that a server has to end by itself."""


def main() -> None:
    """Run the command, and end it when the standard input ends."""
    log, *command = sys.argv[1:]
    with open(log, "ab") as stream:
        # a session of its own: whatever it starts can be ended together, and Ctrl-C on the terminal does not reach it
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            preexec_fn=_end_with_the_keeper,
        )
    print(server.pid, flush=True)
    threading.Thread(target=_end_with_the_run, args=(server.pid,), daemon=True).start()
    code = server.wait()
    _signal(server.pid, signal.SIGKILL)  # of a server that has died, processes may be left
    sys.exit(code if code >= 0 else 128 - code)


def _end_with_the_keeper() -> None:
    """Have this process asked to end when the keeper does: Ray kills the children of workers that it ends."""
    with contextlib.suppress(AttributeError, OSError):  # other systems than Linux have no such call
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _end_with_the_run(group: int) -> None:
    while os.read(0, 1):  # a thread in the midst of `sys.stdin` would break Python's own end
        pass
    _signal(group, signal.SIGTERM)
    time.sleep(PATIENCE)
    _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


if __name__ == "__main__":
    main()
