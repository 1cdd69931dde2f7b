"""Measuring in a process of its own: the planner asks it, and outlives it when memory runs out there.

The process writes one JSON object a line for everything it has found so far, so that what it had measured is known even
if the system ends it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TextIO

import torch

from backsight import errors
from backsight.errors import BacksightError, describe
from backsight.profiling import STATUS, resident_bytes

FEW_LAYERS = (3, 1)
"""Numbers of layers that stand for a model too large to be run as it is. The first is measured for everything, the
second only for how memory grows with layers, if there is time."""
OUT_OF_MEMORY, OUT_OF_TIME = "memory ran out", "time ran out"
FAULT = "error"
"""Name under which a process writes an error of its user's."""
CLEAR = Path("/proc/self/clear_refs")
CLEAR_PEAK = "5"
"""What resets the peak of a process's resident memory, when it is written to its `clear_refs` (Linux, proc(5))."""
FIRST_TO_GO = "1000"
"""Score with which the system ends a process before all others when memory runs out."""
COMPLAINTS = ("not enough memory", "can't allocate memory", "out of memory", "memoryerror", "cannot allocate memory")

Reading = dict[str, Any]


class MemoryGauge:
    """The memory of this process, or of the GPU that it computes on, and its peak since the last `begin`."""

    def __init__(self, device: torch.device, status: Path = STATUS, clear: Path = CLEAR) -> None:
        self.device, self.status, self.clear = device, status, clear

    def begin(self) -> int:
        """Forget the peak so far, where the system can, and return the bytes that are held now."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            return int(torch.cuda.memory_allocated(self.device))
        with contextlib.suppress(OSError):  # then a peak is that of the whole process
            self.clear.write_text(CLEAR_PEAK)
        return self.held()

    def held(self) -> int:
        """Return the bytes that are held now."""
        if self.device.type == "cuda":
            return int(torch.cuda.memory_allocated(self.device))
        return resident_bytes("VmRSS", self.status)

    def peak(self) -> int:
        """Return the most bytes that were held since `begin`."""
        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self.device))
        return resident_bytes("VmHWM", self.status)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a process has found, and why it ended: None when it was done."""

    readings: Sequence[Reading]
    ending: str | None = None

    def last(self, name: str) -> Reading | None:
        """Return the newest reading of this name; None if there is none."""
        return next((each for each in reversed(self.readings) if each["name"] == name), None)

    def all(self, name: str) -> list[Reading]:
        return [each for each in self.readings if each["name"] == name]


def measure(module: str, words: Sequence[str], seconds: float) -> Measured:
    """Run a module in a process of its own, and return what it has found; after `seconds` it is ended.

    Raises:
        BacksightError: when the process did, the same error; what else it raises is named in a `BacksightError` too.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *words], stdout=subprocess.PIPE, stderr=complaints, text=True
        )
        try:
            output, _ = process.communicate(timeout=seconds)
            is_late = False
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            is_late = True
        except BaseException:
            process.kill()
            process.wait()
            raise
        complaints.seek(0)
        return _judged(output, process.returncode, is_late, complaints)


def _judged(output: str, code: int, is_late: bool, complaints: IO[str]) -> Measured:
    """Return what the output of a process says.

    Raises:
        BacksightError: when the process ended by an error.
    """
    readings = list(map(json.loads, filter(_is_whole, output.splitlines())))
    for each in readings:
        if each["name"] == FAULT:
            raise getattr(errors, each["kind"])(each["field"], each["value"], each["remedy"])
    if code == 0:
        return Measured(readings)
    said = complaints.read().strip()
    if is_late:
        return Measured(readings, OUT_OF_TIME)
    if code == -signal.SIGKILL or any(each in said.casefold() for each in COMPLAINTS):
        return Measured(readings, OUT_OF_MEMORY)
    last = said.splitlines()[-1] if said else f"exit code {code}"
    raise BacksightError("plan", last, "the process that measures has failed; this is a fault of backsight")


def _is_whole(line: str) -> bool:
    """Return whether a line is an object: the last one of a process that was ended may be half a line."""
    return line.startswith("{") and line.endswith("}")


class Teller:
    """The side of the process that measures: it writes readings, and keeps what else is printed out of them."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.began = stream, time.monotonic()

    @classmethod
    def of_process(cls) -> Teller:
        """Take over the standard output of this process; what others print goes to the standard error stream."""
        own = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        return cls(own)

    @property
    def seconds(self) -> float:
        """Time since the beginning."""
        return time.monotonic() - self.began

    def tell(self, name: str, values: Mapping[str, Any]) -> None:
        """Write a reading, with the time at which it is known."""
        self.stream.write(json.dumps({"name": name, "at": round(self.seconds, 3), **values}) + "\n")
        self.stream.flush()

    def tell_error(self, error: BacksightError) -> None:
        """Write an error of the user's, which the planner raises again."""
        kind = type(error).__name__
        self.tell(
            FAULT, {"kind": kind, "field": error.field, "value": _plain(error.value), "remedy": str(error.remedy)}
        )


def _plain(value: object) -> str:
    try:
        return str(value)
    except Exception as error:
        return describe(error)


def go_first() -> None:
    """Ask the system to end this process before all others when memory runs out, where it can be asked."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
