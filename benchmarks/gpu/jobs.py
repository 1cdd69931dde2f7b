"""How the benchmark tells a process what to do, and what it hears back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.shared.places import REPOSITORY
from benchmarks.shared.results import Figure


@dataclass(frozen=True, slots=True)
class Job:
    """What one process has to do, and how long it may take."""

    name: str
    """Name of the part, under which its module knows what to do."""
    module: str
    """Name of the module of this folder that does it."""
    seconds: float
    """Time after which the process is ended, the start of it included."""
    model: str
    """Name or folder of the model."""
    least: float = 20.0
    """Time without which it is not begun; loading torch and the model takes most of this."""
    rehearses: bool = False
    attempts: int = 0
    """Number of attempts to train on; 0 where that is of no matter."""
    answer: str = ""
    """File that the answer is written to."""

    @classmethod
    def from_arguments(cls) -> Job:
        """Read the job that this process was started with."""
        return cls(**json.loads(sys.argv[1]))

    def report(self, figures: Sequence[Figure], note: str | None = None) -> None:
        """Tell the process that started this one what was measured, and what it has to know about that."""
        answer = {"rows": [asdict(each) for each in figures], "note": note}
        Path(self.answer).write_text(json.dumps(answer))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a part."""

    part: str
    state: Literal["done", "failed", "skipped"]
    seconds: float = 0.0
    note: str | None = None
    """Why it failed or was skipped, or what else has to be known about it."""
    rows: list[Figure] = field(default_factory=list)

    def value(self, row: str) -> float | None:
        """Return the value of a row; None if there is no such row."""
        return next((each.value for each in self.rows if each.row == row), None)


def run_job(job: Job, seconds: float) -> Outcome:
    """Do a job in a fresh process, within `seconds` and its own limit. What it starts is ended with it."""
    limit = min(job.seconds, seconds)
    if limit < job.least:
        return Outcome(
            job.name, "skipped", note=f"{max(0.0, limit):.0f} s were left, and it takes {job.least:.0f} s or more"
        )
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        answer, errors = Path(place) / "answer.json", Path(place) / "errors"
        fields = {**asdict(job), "seconds": limit, "answer": str(answer)}
        words = [sys.executable, "-m", f"benchmarks.gpu.{job.module}", json.dumps(fields)]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""} if job.rehearses else dict(os.environ)
        with errors.open("w") as written:
            child = subprocess.Popen(words, stderr=written, cwd=REPOSITORY, env=environment, start_new_session=True)
            status = _wait(child, limit)
        took, rows, note = time.monotonic() - started, [], None
        if answer.exists():
            said = json.loads(answer.read_text())
            rows, note = [Figure.from_dict(row) for row in said["rows"]], said["note"]
        if status is None:
            return Outcome(job.name, "failed", took, f"was ended after {limit:.0f} s", rows)
        if status:
            lines = errors.read_text(errors="replace").strip().splitlines() or [f"exit status {status}"]
            print("\n".join(lines[-20:]), file=sys.stderr, flush=True)
            return Outcome(job.name, "failed", took, lines[-1], rows)
        return Outcome(job.name, "done" if rows else "skipped", took, note, rows)


def _wait(child: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Wait for a process and return its status; None if it took longer, and was ended with all that it had started."""
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(ProcessLookupError):  # nothing of its session is left
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
