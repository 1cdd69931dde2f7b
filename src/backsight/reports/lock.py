"""The lock of a run folder: one process writes to it at a time."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backsight.disk import disk_errors
from backsight.errors import RunFolderError

LOCK = ".lock"
"""Name of the file with the process that writes. The lock is not the file but the hold that the process has on it,
which ends with the process, however it ends."""
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
"""What a file system says that knows no locks."""


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep every other process from writing to a folder until the block ends.

    Raises:
        RunFolderError: when another process writes to it. The message names the process.
    """
    path = folder / LOCK
    with disk_errors(path, "nothing is written to the folder"):
        descriptor = _take(path)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
    try:
        yield
    finally:
        with suppress(OSError):  # the file alone is no lock
            path.unlink()
        os.close(descriptor)


def is_being_written(folder: Path) -> bool:
    """Return whether a process writes to a folder, without touching it. One on another machine is believed to live."""
    try:
        words = (folder / LOCK).read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return False
    if len(words) != 4 or not words[1].isdecimal():
        return False
    return words[3] != socket.gethostname() or _lives(int(words[1]))


def _lives(process: int) -> bool:
    if sys.platform == "win32":
        return True  # asking whether it lives would end it there
    try:
        os.kill(process, 0)
    except OSError as error:
        return error.errno == errno.EPERM
    return True


def _take(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _hold(descriptor, path)
            if _is_at(descriptor, path):  # and was not deleted by the process that held it until now
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _hold(descriptor: int, path: Path) -> None:
    if sys.platform == "win32":
        return  # has no locks that end with the process and let others read
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "another process"
        remedy = f"{holder} is writing to it; wait until it ends, or stop it"
        raise RunFolderError("run folder", path.parent, remedy) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
