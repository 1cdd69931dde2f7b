"""How often the forecast of a pilot holds: finished runs of the pocket model are cut, forecast, and compared.

    python -m benchmarks.plan.forecasts              12 runs, half an hour on 2 cores; what is done is not done again
    python benchmarks/plan/forecasts.py --quick      two short runs; nothing is written

Each run is cut at a quarter and at a half of its attempts, and the score at its end is forecast from what it had shown
until then. The learning rate is constant: a pilot whose rate falls to zero is a curve of its own.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console

from backsight.comparison.runner import Job, do_all
from backsight.config import read_config
from backsight.planning.pilot import LearningCurve
from backsight.presets.base import configure
from backsight.reports.run_folder import RunReader
from backsight.reports.tables import text_table
from backsight.runs.finetune import train as run_training
from backsight.runs.pilot import pilot_of
from backsight.runs.start import begin
from benchmarks.shared.places import KEPT
from benchmarks.shared.results import Figure, print_aims, write_results

STEPS, EVALUATIONS = 48, 16
CUTS = (0.25, 0.5)
COVERED_AIM = 0.8
RUNS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "instructions, relabel": ("instructions", {}),
    "instructions, outcome": ("instructions", {"hindsight": "outcome", "learning_rate": 1.5e-3}),
    "sentiment, relabel": ("sentiment", {}),
    "sentiment, outcome": ("sentiment", {"hindsight": "outcome"}),
    "translation, gold_anchor": ("translation", {"hindsight": "gold_anchor"}),
    "summarization, relabel": ("summarization", {}),
}
SEEDS = (0, 1)


def main() -> None:
    """Make the runs, cut and forecast them, and show what came of it, the worst first."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two short runs; nothing is written")
    parser.add_argument("--workers", type=int, default=1, help="processes that train at the same time")
    arguments = parser.parse_args()
    steps = STEPS // 4 if arguments.quick else STEPS
    jobs = [Job(name, seed) for seed in SEEDS for name in RUNS][: 2 if arguments.quick else None]
    rows: dict[str, dict[str, Any]] = {}
    folder = KEPT / "forecasts" / f"{steps}-steps"
    for job, record in do_all(jobs, partial(train, steps), folder, arguments.workers):
        for cut in CUTS:
            rows[f"{job.name}, seed {job.seed}, from {cut:.0%}"] = compare(record, cut)
    console = Console(width=140)
    console.print(table(rows))
    figures = figures_of(rows)
    print_aims(console, figures)
    if not arguments.quick:
        print(write_results("forecasts", SEEDS, figures, command="python -m benchmarks.plan.forecasts"))


def train(steps: int, job: Job) -> dict[str, Any]:
    """Train the pocket model, and return all that a pilot is made of."""
    preset, settings = RUNS[job.name]
    with tempfile.TemporaryDirectory() as folder:
        config, make_task = configure(
            preset,
            {
                "policy": "pocket",
                "stop": {"max_steps": steps},
                "lr_scheduler_type": "constant",
                "learning_rate": 3e-4,
                "prompts_per_step": 16,
                "mini_batches": 2,
                "eval_steps": max(1, steps // EVALUATIONS),
                "eval_items": 100,
                "trace": "off",
                "output_dir": folder,
                "seed": job.seed,
                **settings,
            },
        )
        task = make_task(config)
        task.eval_splits = tuple(task.eval_splits)[:1]  # a forecast is of the first split alone
        result = run_training(begin(config, task), show_progress=False)
        reader = RunReader(result.folder)
        evaluations = reader.evaluations()
        return {
            "config": reader.config.read_text(),
            "evaluations": [row for row in evaluations if row["split"] == evaluations[0]["split"]],
            "metrics": reader.metrics(),
        }


def compare(record: Mapping[str, Any], cut: float) -> dict[str, Any]:
    """Forecast the end of a run from its beginning, and return both."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(record["config"])
        config = read_config(path)
    evaluations = record["evaluations"]
    last = evaluations[-1]["step"]
    known = [row for row in evaluations if row["step"] <= cut * last]
    pilot = pilot_of(known, record["metrics"], config)
    curve = LearningCurve(pilot)
    attempts = last * pilot.attempts[-1] / known[-1]["step"]
    forecast, real = curve.forecast(attempts), float(evaluations[-1]["scores"]["reward"]["mean"])
    return {
        "last": pilot.scores[-1],
        "score": forecast.score,
        "low": forecast.low,
        "high": forecast.high,
        "real": real,
        "holds": forecast.low <= real <= forecast.high,
        "bent": curve.share_past_bend,
    }


def table(rows: Mapping[str, Mapping[str, Any]]) -> Any:
    """Make the table of all forecasts, those that do not hold first."""
    order = sorted(rows, key=lambda name: (rows[name]["holds"], name))
    return text_table(
        "forecasts of the score at the end, those that do not hold first",
        {
            name: {
                "at the cut": f"{rows[name]['last']:.3f}",
                "forecast": "–" if rows[name]["score"] is None else f"{rows[name]['score']:.3f}",
                "90 % interval": f"{rows[name]['low']:.3f} to {rows[name]['high']:.3f}",
                "in fact": f"{rows[name]['real']:.3f}",
                "holds": "yes" if rows[name]["holds"] else "no",
            }
            for name in order
        },
    )


def figures_of(rows: Mapping[str, Mapping[str, Any]]) -> list[Figure]:
    """Return how often the intervals hold, how wide they are, and each forecast."""
    figures = []
    for cut in CUTS:
        own = [each for name, each in rows.items() if name.endswith(f"from {cut:.0%}")]
        covered = Figure(f"from {cut:.0%}: share of intervals that hold", _share(own, "holds"), None, "share")
        figures.append(covered.hold_against(">=", COVERED_AIM))
        width = fmean(each["high"] - each["low"] for each in own)
        figures.append(Figure(f"from {cut:.0%}: mean width of the interval", width, None, "score"))
        points = [each for each in own if each["score"] is not None]
        figures.append(Figure(f"from {cut:.0%}: point forecasts made", float(len(points)), None, f"of {len(own)}"))
        if points:
            off = fmean(abs(each["score"] - each["real"]) for each in points)
            figures.append(Figure(f"from {cut:.0%}: mean error of the point forecasts", off, None, "score"))
    figures += [Figure(name, each["real"], (each["low"], each["high"]), "score") for name, each in rows.items()]
    return figures


def _share(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    return fmean(float(each[name]) for each in rows)


if __name__ == "__main__":
    main()
