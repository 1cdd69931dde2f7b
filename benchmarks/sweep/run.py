"""The small sweep behind the toy of the demo: each way to train at the same learning rates, for the same time.

    python benchmarks/sweep/run.py              about 15 minutes on 2 cores; what is done already is not done again
    python benchmarks/sweep/run.py --quick      5 seconds each; no results are written

Scores are greedy successes on the in-domain split. All get the same grid, so that the controls (plain reinforcement
learning on success, and on the share of constraints that are met) are at their best when they are compared.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # run as a script, `benchmarks` is a package of the repository

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from backsight.comparison.runner import Job, do_all
from backsight.evaluation.statistics import Estimate
from backsight.runs.finetune import Result
from benchmarks.shared.places import KEPT
from benchmarks.shared.results import Figure, write_results
from benchmarks.shared.toy import Reward, train_toy

RATES = (3e-4, 7e-4, 1.5e-3)
WAYS: Mapping[str, tuple[str, Reward]] = {
    "outcome": ("outcome", "success"),
    "outcome, share of constraints": ("outcome", "constraints"),
    "relabel": ("relabel", "success"),
}
"""A method and what the task pays, by the name in the table."""
RUNS: Mapping[str, tuple[str, Reward, float]] = {
    f"{name}, learning_rate={rate:g}": (*way, rate) for name, way in WAYS.items() for rate in RATES
}


def main() -> None:
    """Train every combination and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
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
    method, reward, rate = RUNS[job.name]
    stop = {"max_seconds": seconds}
    own = {"hindsight": method, "learning_rate": rate, "stop": stop, "eval_items": 300, "seed": job.seed}
    return train_toy(reward, read_score, **own)


def read_score(result: Result) -> dict[str, Any]:
    """Read how many attempts were made, and the share of successes at the end."""
    score = result.after["in_domain"]
    return {"attempts": result.progress.attempts, "score": asdict(score.rewards["success"])}


if __name__ == "__main__":
    main()
