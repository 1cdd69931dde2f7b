"""Run the speed benchmark's rows of SmolLM2 on this card: `python -m benchmarks.gpu.speed JOB`.

That is a program of its own, which keeps what it has measured after every row: its results are read even where the time
was too short for all of them. The rehearsal runs one of its small rows on the CPU.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

from benchmarks.gpu.jobs import Job
from benchmarks.shared.places import REPOSITORY
from benchmarks.shared.results import Figure, read_results

WORDS, REHEARSAL = ("--device", "cuda", "--model", "smollm2"), ("--quick", "--only", "even")
RESULTS = "speed_smollm2_cuda"
SPARE = 5.0
"""Seconds that are left for reading what there is."""


def main(job: Job) -> None:
    before = set(read_results(RESULTS))
    started = time.monotonic()
    note = run_benchmark(REHEARSAL if job.rehearses else WORDS, job.seconds - SPARE)
    rows = [replace(row, row=f"{job.name}: {row.row}") for row in read_results(RESULTS) if row not in before]
    if note and not rows:
        return job.report([], note)
    job.report([Figure(f"{job.name}: all of it", time.monotonic() - started, None, "seconds"), *rows], note)


def run_benchmark(words: tuple[str, ...], seconds: float) -> str | None:
    """Run the speed benchmark for at most so long; return why rows are missing, or None if none are."""
    words_of_all = [sys.executable, "benchmarks/speed/run.py", *words]
    with subprocess.Popen(
        words_of_all,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=REPOSITORY,
        start_new_session=True,  # so that what it starts can be ended with it
    ) as child:
        try:
            said, _ = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            return f"benchmarks/speed was ended after {seconds:.0f} s"
    print(said, flush=True)
    lines = said.strip().splitlines()
    if child.returncode:
        return f"benchmarks/speed {' '.join(words)}: {lines[-1] if lines else f'exit status {child.returncode}'}"
    return "; ".join(line for line in lines if "not measured" in line) or None


if __name__ == "__main__":
    main(Job.from_arguments())
