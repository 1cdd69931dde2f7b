"""How near `backsight plan` comes to what a run takes: memory and seconds a step, over models, methods and lengths.

    python benchmarks/plan/run.py              26 runs, an hour on 2 cores; what is done already is not done again
    python benchmarks/plan/run.py --quick      five small runs; nothing is written

Each run is planned by the command, and then its first six steps are done by the command, each in a process of its own.
The peak is that of the whole process, with evaluations and saving; seconds a step are the median without the first.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # run as a script, `benchmarks` is a package of the repository

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import fmean, median
from typing import Any

from rich.console import Console

from backsight.comparison.runner import Job, do_all
from backsight.profiling import resident_bytes
from backsight.reports.run_folder import RunReader
from backsight.reports.tables import text_table
from benchmarks.plan.cases import CASES, QUICK, Case, words_of
from benchmarks.shared.places import KEPT
from benchmarks.shared.results import Figure, print_aims, write_results

MEMORY_AIM, TIME_AIM, PLAN_SECONDS = 0.10, 0.25, 60.0
INTERVAL = 0.05
"""Seconds between two looks at the peak of a process."""


def main() -> None:
    """Plan and begin all runs, and show how far the plans were off, the worst first."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="five small runs; nothing is written")
    arguments = parser.parse_args()
    cases = {each.name: each for each in (QUICK if arguments.quick else CASES)}
    folder = KEPT / ("plan-quick" if arguments.quick else "plan")
    found: dict[str, Mapping[str, Any]] = {}
    for job, record in do_all([Job(name, 0) for name in cases], partial(measure, cases, folder), folder):
        found[job.name] = record
        print(f"{job.name}: memory {error(record, 'peak'):+.1%}, time {error(record, 'seconds'):+.1%}", flush=True)
    console = Console(width=160)
    console.print(table(found))
    figures = figures_of(found)
    print_aims(console, figures)
    if not arguments.quick:
        print(write_results("plan", [0], figures))


def measure(cases: Mapping[str, Case], folder: Path, job: Job) -> dict[str, Any]:
    """Plan a run and do its first steps, and return both."""
    folder.mkdir(parents=True, exist_ok=True)
    words = words_of(cases[job.name], folder.resolve())
    with tempfile.TemporaryDirectory() as place:
        began = time.monotonic()
        run_command(["plan", *words, "--json", f"{place}/plan.json"])
        plan_seconds = time.monotonic() - began
        plan = json.loads(Path(f"{place}/plan.json").read_text())
        peak = run_command(["train", *words, f"output_dir={place}/runs", "run_name=run"])
        rows = RunReader(Path(place) / "runs" / "run").metrics()
        bytes_on_disk = sum(each.stat().st_size for each in (Path(place) / "runs").rglob("*") if each.is_file())
    return {
        "plan": {"peak": plan["peak"], "seconds": plan["step_seconds"], "disk": sum(plan["disk"].values())},
        "run": {"peak": peak, "seconds": median(row["step_time"] for row in rows[1:]), "disk": bytes_on_disk},
        "phases": {"plan": plan["seconds"], "run": phases_of(rows[1:])},
        "parts": plan["memory"]["parts"],
        "plan_seconds": plan_seconds,
        "weights": plan["size"]["num_weights"],
        "how": plan["how"],
        "notes": plan["notes"],
    }


def run_command(words: Sequence[str]) -> int:
    """Run `backsight` with these words in a process of its own, and return the most bytes that it held."""
    process = subprocess.Popen([sys.executable, "-m", "backsight", *words], stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:  # the usage that `wait4` returns is no less than what this process has held
        peak = max(peak, resident_bytes("VmHWM", Path(f"/proc/{process.pid}/status")))
        time.sleep(INTERVAL)
    if process.returncode:
        raise SystemExit(f"failed: backsight {' '.join(words)}")
    return peak


def phases_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the mean seconds of each phase."""
    names = {name for row in rows for name in row if name.startswith("time/")}
    return {name.removeprefix("time/"): fmean(row.get(name, 0.0) for row in rows) for name in sorted(names)}


def error(record: Mapping[str, Any], what: str) -> float:
    """Return how far a plan is above what the run took, as a share of that."""
    return float(record["plan"][what] / record["run"][what] - 1)


def table(found: Mapping[str, Mapping[str, Any]]) -> Any:
    """Make the table of all runs, the worst first."""
    worst = sorted(
        found,
        key=lambda name: (
            -max(abs(error(found[name], "peak")) / MEMORY_AIM, abs(error(found[name], "seconds")) / TIME_AIM)
        ),
    )
    rows = {
        name: {
            "peak, GiB": f"{found[name]['run']['peak'] / 2**30:.2f}",
            "planned": f"{found[name]['plan']['peak'] / 2**30:.2f}",
            "off": f"{error(found[name], 'peak'):+.1%}",
            "s a step": f"{found[name]['run']['seconds']:.2f}",
            "planned ": f"{found[name]['plan']['seconds']:.2f}",
            "off ": f"{error(found[name], 'seconds'):+.1%}",
            "plan took, s": f"{found[name]['plan_seconds']:.0f}",
        }
        for name in worst
    }
    return text_table("plans, the worst first", rows)


def figures_of(found: Mapping[str, Mapping[str, Any]]) -> list[Figure]:
    """Return the figures of all runs, and what the aims are held against."""
    memory = {name: abs(error(each, "peak")) for name, each in found.items()}
    seconds = {name: abs(error(each, "seconds")) for name, each in found.items()}
    figures = [
        Figure("memory: largest error of a plan", max(memory.values()), None, "share").hold_against("<=", MEMORY_AIM),
        Figure("time: largest error of a plan", max(seconds.values()), None, "share").hold_against("<=", TIME_AIM),
        Figure("longest plan", max(each["plan_seconds"] for each in found.values()), None, "s").hold_against(
            "<=", PLAN_SECONDS
        ),
        Figure.of_repeats("memory: error of a plan", list(memory.values()), "share"),
        Figure.of_repeats("time: error of a plan", list(seconds.values()), "share"),
    ]
    for name, each in found.items():
        figures += [
            Figure(f"{name}: peak", each["run"]["peak"] / 2**30, None, "GiB"),
            Figure(f"{name}: planned peak", each["plan"]["peak"] / 2**30, None, "GiB"),
            Figure(f"{name}: step", each["run"]["seconds"], None, "s"),
            Figure(f"{name}: planned step", each["plan"]["seconds"], None, "s"),
        ]
    return figures


if __name__ == "__main__":
    main()
