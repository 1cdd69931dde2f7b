"""What only a GPU can show, in ten minutes on one card: training at 20 times the demo's attempts, speed, and trials.

    benchmarks/gpu/run.sh                 needs an NVIDIA GPU; exits 2 with one line where something is missing
    benchmarks/gpu/run.sh --rehearse      all parts on the CPU with a tiny model, in about a minute; nothing is kept

Each part is a process with a time limit of its own, and what fails is named beside the figures of the others. They
come in this order, so that what does not fit is cut from the end: three trials, which cost little and say whether
anything works here; SmolLM2 on preset `instructions` with hindsight, and the controls from as many attempts as that
took; the speed table, in what time is left. `benchmarks/results/gpu.json` is written after every part.

A machine that reaches no package registry gets what it lacks by `python -m benchmarks.gpu.pack`.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.gpu.jobs import Job, Outcome, run_job
from benchmarks.gpu.model import SMOLLM2
from benchmarks.gpu.prepare import card, read_arguments
from benchmarks.gpu.training import AROUND, ATTEMPTS, HINDSIGHT, METHODS, attempts_row
from benchmarks.gpu.trials import TRIALS
from benchmarks.shared.places import RESULTS
from benchmarks.shared.results import print_aims, write_results

MODEL_SECONDS, TRIAL_SECONDS, TRAINING_SECONDS = 90.0, 45.0, 150.0
REHEARSED_ATTEMPTS = 16


def main() -> int:
    arguments = read_arguments()
    # by an exception, which ends the part that is at work as well
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started, console = time.monotonic(), Console(width=None if sys.stdout.isatty() else 120)
    if not arguments.rehearse and not torch.cuda.is_available():
        print(f"gpu: torch {torch.__version__} sees no GPU; install a build with CUDA for this driver", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="gpu-") as place:
        folder = arguments.out or (Path(place) if arguments.rehearse else RESULTS)
        folder.mkdir(parents=True, exist_ok=True)
        model = f"{place}/tiny" if arguments.rehearse else SMOLLM2
        outcomes: list[Outcome] = []
        for outcome in run_parts(make_jobs(model, arguments.rehearse), started + arguments.seconds):
            outcomes.append(outcome)
            note = f": {outcome.note}" if outcome.note else ""
            console.print(f"{outcome.part}: {outcome.state}, {outcome.seconds:.0f} s{note}", highlight=False)
            path = keep(outcomes, folder)
        print_aims(console, [row for each in outcomes for row in each.rows])
        console.print("a rehearsal: no results are kept" if arguments.rehearse else str(path), highlight=False)
    return 0


def make_jobs(model: str, rehearses: bool) -> list[Job]:
    """Make the jobs of all parts, in their order."""
    attempts = REHEARSED_ATTEMPTS if rehearses else ATTEMPTS
    training = Job("", "training", TRAINING_SECONDS, model, AROUND + 15, rehearses, attempts)
    return [
        Job("the model", "model", MODEL_SECONDS, model, rehearses=rehearses),
        *(Job(name, "trials", TRIAL_SECONDS, model, rehearses=rehearses) for name in TRIALS),
        *(replace(training, name=name) for name in METHODS),
        Job("speed", "speed", 20.0 if rehearses else float("inf"), model, rehearses=rehearses),
    ]


def run_parts(jobs: Sequence[Job], deadline: float) -> Iterator[Outcome]:
    """Do the jobs one after the other until the deadline, which is a value of the monotonic clock.

    The first method that trains says how many attempts fit, and the others get as many.
    """
    taken: float | None = None
    for job in jobs:
        if job.attempts and taken is not None:
            job = replace(job, attempts=int(taken))
        outcome = run_job(job, deadline - time.monotonic())
        if job.name == HINDSIGHT:
            taken = outcome.value(attempts_row(job.name))
        yield outcome


def keep(outcomes: Sequence[Outcome], folder: Path) -> Path:
    """Write what there is so far, with the card that it comes from."""
    name, driver = card() or ("no GPU", "none")
    machine = f"{name}, driver {driver}, torch {torch.__version__}"
    machine += f", {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    parts = [
        {"part": each.part, "state": each.state, "seconds": round(each.seconds, 1), "note": each.note}
        for each in outcomes
    ]
    rows = [row for each in outcomes for row in each.rows]
    further = {"machine": machine, "parts": parts}
    return write_results("gpu", [0], rows, folder, "benchmarks/gpu/run.sh", further)


if __name__ == "__main__":
    sys.exit(main())
