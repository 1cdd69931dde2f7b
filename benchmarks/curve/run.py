"""The learning curve in the README: the toy of the demo with hindsight and without it, from as many attempts.

    python benchmarks/curve/run.py              15 minutes on 2 cores; what is done already is not done again
    python benchmarks/curve/run.py --quick      one seed, a tenth of the attempts; nothing is written

The score is the greedy success on held-out combinations of constraints. Plain RL is paid for all or nothing, or for the
share of constraints that are met; each has the learning rate that is best for it in `benchmarks/sweep/run.py`, and
hindsight has that of the preset. The results are written to ``benchmarks/results/curve.json``, the picture to
``docs/results/learning_curve.png``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # run as a script, `benchmarks` is a package of the repository

import argparse
from collections.abc import Mapping
from functools import partial
from typing import Any

from backsight.comparison.runner import Job, do_all
from backsight.evaluation.across_seeds import band
from backsight.reports.run_folder import RunReader
from backsight.runs.finetune import Result
from benchmarks.shared.places import KEPT, PICTURES
from benchmarks.shared.results import Figure, write_results
from benchmarks.shared.toy import Reward, train_toy

ATTEMPTS, SPLIT = 16_384, "combinations"
METHODS: Mapping[str, tuple[Reward, Mapping[str, Any]]] = {
    "plain RL, all or nothing": ("success", {"hindsight": "outcome", "learning_rate": 3e-4}),
    "plain RL, share": ("constraints", {"hindsight": "outcome", "learning_rate": 7e-4}),
    "with hindsight": ("success", {}),
}
"""What the task pays, and the settings that are not the preset's, by the name in the picture."""
COLOURS = dict(zip(METHODS, ("#7a7a7a", "#c08a2d", "#2f7d5b"), strict=True))

Curves = dict[str, list[list[tuple[float, float]]]]
"""By method and seed, the attempts so far and the score."""


def main() -> None:
    """Train with both methods and all seeds, and draw what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, a tenth of the attempts; nothing is written")
    parser.add_argument("--workers", type=int, default=2, help="processes that train at the same time")
    arguments = parser.parse_args()
    seeds, attempts = ([0], ATTEMPTS // 10) if arguments.quick else ([0, 1, 2], ATTEMPTS)
    jobs = [Job(name, seed) for seed in seeds for name in METHODS]
    curves: Curves = {name: [] for name in METHODS}
    for job, record in do_all(
        jobs, partial(train, attempts), KEPT / "curve" / f"{attempts}-attempts", arguments.workers
    ):
        curves[job.name].append([tuple(point) for point in record["curve"]])
        print(f"{job.name}, seed {job.seed}: {record['curve'][-1][1]:.3f}", flush=True)
    if not arguments.quick:
        draw(curves, PICTURES / "learning_curve.png")
        ends = {name: [curve[-1][1] for curve in own] for name, own in curves.items()}
        figures = [Figure.of_repeats(f"{name}, {attempts} attempts", own, "success") for name, own in ends.items()]
        print(write_results("curve", seeds, figures))


def train(attempts: int, job: Job) -> dict[str, Any]:
    """Train the pocket model on so many attempts, and return its curve."""
    reward, settings = METHODS[job.name]
    stop = {"max_attempts": attempts}
    return train_toy(reward, read_curve, stop=stop, eval_steps=2, eval_items=200, seed=job.seed, **settings)


def read_curve(result: Result) -> dict[str, Any]:
    """Read the attempts so far and the share of successes at each evaluation."""
    per_step = result.progress.attempts / result.progress.step
    rows = [row for row in RunReader(result.folder).evaluations() if row["split"] == SPLIT]
    return {"curve": [(row["step"] * per_step, row["scores"]["success"]["mean"]) for row in rows]}


def draw(curves: Curves, path: Path) -> None:
    """Draw the means over seeds, with a shade from the lowest to the highest."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(7.2, 3.1), layout="constrained")
    axes = canvas.subplots()
    for name, own in curves.items():
        seeds = band(own)
        axes.plot(seeds.used, seeds.mean, color=COLOURS[name], linewidth=2)
        axes.fill_between(seeds.used, seeds.low, seeds.high, color=COLOURS[name], alpha=0.18, linewidth=0)
        axes.annotate(
            name, (seeds.used[-1], seeds.mean[-1]), (6, 0), textcoords="offset points", va="center", color=COLOURS[name]
        )
    axes.set_xlabel("attempts", fontsize=9)
    axes.set_title(
        "share of sentences that obey all four constraints (combinations never trained)", fontsize=9, loc="left"
    )
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    canvas.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
