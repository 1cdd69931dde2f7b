"""Every way to look back, against plain reinforcement learning, on tasks that tell them apart.

    python benchmarks/hindsight/run.py              three seeds a row; what is done already is not done again
    python benchmarks/hindsight/run.py --quick      one seed, the smallest size of each task, a tenth of the attempts
    python benchmarks/hindsight/run.py --only secret

The control is GRPO as TRL has it (`outcome` with `algorithm=grpo`), cross-checked on the first row against TRL itself
(`pip install -e '.[bench]'`). A row is one task, size and method; each seed of it is kept in a file of its own, so that
a run that is stopped goes on. Rows are worked on one a core, with one thread each.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # instead of this folder, whose trl.py would hide the library

import argparse
import os
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from backsight.comparison.runner import Job, do_all
from benchmarks.hindsight.aims import Results, make_figures
from benchmarks.hindsight.curve import Curve, Row
from benchmarks.hindsight.picture import draw
from benchmarks.hindsight.reasoning_rows import ROWS as REASONING
from benchmarks.hindsight.text_rows import ROWS as TEXT
from benchmarks.hindsight.text_worlds import ROWS as TEXT_WORLDS
from benchmarks.hindsight.trl import learn_goal_string
from benchmarks.hindsight.worlds import ROWS as WORLDS
from benchmarks.shared.places import KEPT, PICTURES
from benchmarks.shared.results import print_aims, write_results

ROWS = [Row("goal strings", "n=4", "TRL's GRPO", learn_goal_string), *TEXT, *REASONING, *WORLDS, *TEXT_WORLDS]
SEEDS = (0, 1, 2)


def main() -> None:
    arguments = read_arguments()
    torch.set_num_threads(1)
    rows = [row for row in ROWS if arguments.only in " ".join(row.key)]
    if arguments.quick:
        rows = pick_smallest(rows)
    seeds = SEEDS[:1] if arguments.quick else SEEDS
    folder = KEPT / "hindsight-benchmark" / ("quick" if arguments.quick else "full")
    jobs = {Job(row.slug, seed): row for seed in seeds for row in rows}
    curves: dict[Job, Curve] = {}
    for job, record in do_all(list(jobs), partial(do_job, arguments.quick), folder, arguments.jobs):
        curve = curves[job] = Curve(**record)
        name = f"{', '.join(jobs[job].key)}, seed {job.seed}"
        print(f"{len(curves)}/{len(jobs)}: {name}: {curve.final:.2f} in {curve.seconds:.0f} s", flush=True)
    results = {row.key: [curves[Job(row.slug, seed)] for seed in seeds] for row in rows}
    figures = make_figures(results)
    console = Console(width=140)
    print_curves(console, results)
    if arguments.quick:
        print("a rehearsal: the aims are for the full size")
        return
    print_aims(console, figures)
    if not arguments.only:
        print(f"written: {write_results('hindsight', seeds, figures)}")
        draw(results, PICTURES / "hindsight.png")
        print(f"drawn: {PICTURES / 'hindsight.png'}")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare the hindsight methods with plain reinforcement learning.")
    parser.add_argument("--quick", action="store_true", help="one seed and the smallest size of each task")
    parser.add_argument(
        "--only", default="", help="rows whose task, size or method holds this text; nothing is written"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="rows at the same time")
    return parser.parse_args()


def pick_smallest(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of the first size of each task."""
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(row.task, row.size)
    return [row for row in rows if first[row.task] == row.size]


def do_job(is_quick: bool, job: Job) -> dict[str, Any]:
    """Do one seed of one row."""
    row = next(row for row in ROWS if row.slug == job.name)
    return asdict(row.run(job.seed, is_quick))


def print_curves(console: Console, results: Results) -> None:
    """Print a line for each row: its last scores, and how many attempts it took."""
    table = Table("task", "size", "method", "score (lowest-highest seed)", "attempts", "to 0.8", "s")
    for (task, size, method), curves in results.items():
        finals = [curve.final for curve in curves]
        score = f"{sum(finals) / len(finals):.2f} ({min(finals):.2f}-{max(finals):.2f})"
        firsts = [curve.first_at(0.8) for curve in curves]
        to_level = "-" if None in firsts else f"{sum(filter(None, firsts)) / len(firsts):,.0f}"
        seconds = sum(curve.seconds for curve in curves) / len(curves)
        table.add_row(task, size, method, score, f"{curves[0].attempts[-1]:,}", to_level, f"{seconds:.0f}")
    console.print(table)


if __name__ == "__main__":
    main()
