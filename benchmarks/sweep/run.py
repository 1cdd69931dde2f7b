"""The small sweep behind preset `instructions`: each method at the same learning rates, for the same time.

    python benchmarks/sweep/run.py              about 10 minutes on 2 cores; what is done already is not done again
    python benchmarks/sweep/run.py --quick      5 seconds each; no results are written

Scores are greedy successes on the in-domain split. Both methods get the same grid, so that the control is at its best
when it is compared.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # run as a script, `benchmarks` is a package of the repository

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from backsight import finetune
from backsight.comparison.runner import Job, do_all
from backsight.evaluation.statistics import Estimate
from benchmarks.shared.places import KEPT
from benchmarks.shared.results import Figure, write_results

RATES = (3e-4, 7e-4, 1.5e-3)
METHODS = ("outcome", "relabel")
RUNS: Mapping[str, tuple[str, float]] = {
    f"{method}, learning_rate={rate:g}": (method, rate) for method in METHODS for rate in RATES
}


def main() -> None:
    """Train every combination and write the table."""
    parser = argparse.ArgumentParser(description="Sweep the learning rate of preset instructions.")
    parser.add_argument("--seconds", type=float, default=80.0, help="training time of each combination")
    parser.add_argument("--quick", action="store_true", help="5 seconds each; no results are written")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    seconds = 5.0 if arguments.quick else arguments.seconds
    jobs = [Job(name, arguments.seed) for name in RUNS]
    figures = []
    # one after the other: what is compared is what comes of the same time
    for job, record in do_all(jobs, partial(train, seconds), KEPT / "sweep" / f"{seconds:g}-seconds"):
        score = Estimate(**record["score"])
        row = f"{job.name}, {record['attempts']} attempts"
        print(f"{row}: {score.mean:.3f} ({score.low:.3f}-{score.high:.3f})", flush=True)
        figures.append(Figure.of_estimate(row, score, "greedy success in domain"))
    if not arguments.quick:
        print(write_results("instructions_sweep", [arguments.seed], figures))


def train(seconds: float, job: Job) -> dict[str, Any]:
    """Train the pocket model for so many seconds."""
    method, rate = RUNS[job.name]
    with tempfile.TemporaryDirectory() as folder:
        result = finetune(
            "pocket",
            "instructions",
            hindsight=method,
            learning_rate=rate,
            stop={"max_seconds": seconds},
            eval_items=300,
            output_dir=folder,
            seed=job.seed,
            show_progress=False,
        )
    return {"attempts": result.progress.attempts, "score": asdict(result.after["in_domain"].reward)}


if __name__ == "__main__":
    main()
