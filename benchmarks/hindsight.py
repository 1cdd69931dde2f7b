"""Every way to look back, against plain reinforcement learning, on tasks that tell them apart.

    python benchmarks/hindsight.py              three seeds a row; what is done already is not done again
    python benchmarks/hindsight.py --quick      one seed, the smallest size of each task, a tenth of the attempts
    python benchmarks/hindsight.py --only secret

The control is GRPO as TRL has it (`outcome` with `algorithm=grpo`), cross-checked on the first row against TRL itself
(`pip install -e '.[bench]'`). A row is one task, size and method; each seed of it is kept in a file of its own, so that
a run that is stopped goes on. Rows are worked on one a core, with one thread each.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

import torch
from hindsight_aims import Results, figures_of
from hindsight_curve import Curve, Row
from hindsight_picture import draw
from hindsight_reasoning_rows import ROWS as REASONING
from hindsight_text_rows import ROWS as TEXT
from hindsight_text_worlds import ROWS as TEXT_WORLDS
from hindsight_trl import goal_string_with_trl
from hindsight_worlds import ROWS as WORLDS
from results_file import Figure, write_results
from rich.console import Console
from rich.table import Table

ROWS: list[Row] = [
    ("goal strings", "n=4", "TRL's GRPO", goal_string_with_trl),
    *TEXT,
    *REASONING,
    *WORLDS,
    *TEXT_WORLDS,
]
SEEDS = (0, 1, 2)
KEPT = Path("runs") / "hindsight-benchmark"
"""What is done already, from where the benchmark is run."""
PICTURE = Path(__file__).parents[1] / "docs" / "results" / "hindsight.png"

Job = tuple[int, int, bool]
"""Number of the row, seed, and whether it is a quick run."""


def main() -> None:
    arguments = _arguments()
    numbers = [number for number, row in enumerate(ROWS) if arguments.only in " ".join(row[:3])]
    if arguments.quick:
        numbers = _smallest(numbers)
    seeds = SEEDS[:1] if arguments.quick else SEEDS
    jobs: list[Job] = [(number, seed, arguments.quick) for seed in seeds for number in numbers]
    results: dict[tuple[str, str, str], list[Curve]] = {ROWS[number][:3]: [] for number in numbers}
    for (number, _, _), curve in _done(jobs, arguments.jobs):
        results[ROWS[number][:3]].append(curve)
    results = {key: curves for key, curves in results.items() if curves}
    figures = figures_of(results)
    _show(results, [] if arguments.quick else figures)
    if arguments.quick:
        print("a rehearsal: the aims are for the full size")
    if not arguments.quick and not arguments.only:
        print(f"written: {write_results('hindsight', seeds, figures)}")
        draw(results, PICTURE)
        print(f"drawn: {PICTURE}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare the hindsight methods with plain reinforcement learning.")
    parser.add_argument("--quick", action="store_true", help="one seed and the smallest size of each task")
    parser.add_argument(
        "--only", default="", help="rows whose task, size or method holds this text; nothing is written"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="rows at the same time")
    return parser.parse_args()


def _smallest(numbers: Sequence[int]) -> list[int]:
    """The rows of the first size of each task."""
    first: dict[str, str] = {}
    for number in numbers:
        first.setdefault(ROWS[number][0], ROWS[number][1])
    return [number for number in numbers if first[ROWS[number][0]] == ROWS[number][1]]


def _done(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, Curve]]:
    """The curves that are kept, and then the others as they are finished."""
    missing = []
    for job in jobs:
        path = _place(job)
        if path.exists():
            yield job, Curve(**json.loads(path.read_text()))
        else:
            missing.append(job)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, torch.set_num_threads, (1,)) as pool:
        futures = {pool.submit(work, job): job for job in missing}
        try:
            for count, future in enumerate(as_completed(futures), start=1):
                job, curve = futures[future], future.result()
                name = f"{', '.join(ROWS[job[0]][:3])}, seed {job[1]}"
                print(f"{count}/{len(missing)}: {name}: {curve.final:.2f} in {curve.seconds:.0f} s", flush=True)
                yield job, curve
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def work(job: Job) -> Curve:
    """One seed of one row, in a process of its own, which keeps it."""
    number, seed, quick = job
    curve = ROWS[number][3](seed, quick)
    path = _place(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".part").write_text(json.dumps(asdict(curve)))
    path.with_suffix(".part").rename(path)
    return curve


def _place(job: Job) -> Path:
    number, seed, quick = job
    name = re.sub(r"[^a-z0-9]+", "-", " ".join(ROWS[number][:3]).lower())
    return KEPT / ("quick" if quick else "full") / f"{name}-{seed}.json"


def _show(results: Results, figures: Sequence[Figure]) -> None:
    table = Table("task", "size", "method", "score (lowest-highest seed)", "attempts", "to 0.8", "s")
    for (task, size, method), curves in results.items():
        finals = [curve.final for curve in curves]
        score = f"{sum(finals) / len(finals):.2f} ({min(finals):.2f}-{max(finals):.2f})"
        firsts = [curve.first_at(0.8) for curve in curves]
        to_level = "-" if None in firsts else f"{sum(filter(None, firsts)) / len(firsts):,.0f}"
        seconds = sum(curve.seconds for curve in curves) / len(curves)
        table.add_row(task, size, method, score, f"{curves[0].attempts[-1]:,}", to_level, f"{seconds:.0f}")
    console = Console(width=140)
    console.print(table)
    aims = Table("aim", "measured", "held against", "")
    for figure in figures:
        if figure.aim is not None:
            aims.add_row(figure.row, f"{figure.value:,.2f} {figure.unit}", figure.aim, _VERDICTS[figure.holds])
    if figures:
        console.print(aims)


_VERDICTS: Mapping[bool | None, str] = {True: "holds", False: "missed", None: ""}


if __name__ == "__main__":
    main()
