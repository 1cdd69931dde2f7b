"""Run the speed benchmark's rows of SmolLM2 on this card: `python -m benchmarks.gpu.speed JOB`.

That is a program of its own, which keeps what it has measured after every row: its results are read even where the time
was too short for all of them. The rehearsal runs one of its small rows on the CPU.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

from benchmarks.gpu.jobs import Job
from benchmarks.shared.places import REPOSITORY
from benchmarks.shared.results import Figure, read_results

WORDS, REHEARSAL = ("--device", "cuda", "--only", "smollm2"), ("--quick", "--only", "even")
RESULTS = "speed_cuda"
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
    try:
        done = subprocess.run(
            [sys.executable, "benchmarks/speed/run.py", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=REPOSITORY,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return f"benchmarks/speed was ended after {seconds:.0f} s"
    print(done.stdout, flush=True)
    lines = done.stdout.strip().splitlines()
    if done.returncode:
        return f"benchmarks/speed {' '.join(words)}: {lines[-1] if lines else f'exit status {done.returncode}'}"
    return "; ".join(line for line in lines if "not measured" in line) or None


if __name__ == "__main__":
    main(Job.from_arguments())
