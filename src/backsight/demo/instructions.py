"""`make demo`: before your eyes, a language model gets better at what it was asked, with and without hindsight.

The pocket model is trained on `instructions` twice for the same time: with `relabel` (hindsight) and with `outcome`
(plain reinforcement learning), which is looked at twice: after as many attempts as hindsight had, and after its time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from backsight.config import resume_config
from backsight.demo.command import run_demo
from backsight.evaluation.fluency import Fluency, fluency
from backsight.evaluation.statistics import Estimate, estimate
from backsight.finetuning import finetune, load_policy, run
from backsight.pocket import world
from backsight.reports.reader import RunReader
from backsight.reports.tables import interval_text, text_table
from backsight.session import Evaluation, Result
from backsight.types import Trajectory

SECONDS = 95.0
"""Of training for each method."""
EVAL_ITEMS = 400
"""Of each split."""
CONTROL_LEARNING_RATE = 1.5e-3
"""The best of the sweep for plain RL; the preset has the best one for hindsight (benchmarks/instructions_sweep.py)."""
SPLITS = {
    "in_domain": "trained combinations",
    "combinations": "held-out combinations",
    "domains": "held-out domains",
    "more": "more constraints",
}
SHOWN_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: how a policy did on every split, and how fluent it was in domain."""

    evaluation: Evaluation
    fluency: Fluency
    good: Estimate
    """Success counted only where the sentence is well formed, in domain."""
    attempts: int


def main() -> None:
    """Parse, run, print."""
    run_demo("Train the pocket model with and without hindsight, and compare.", show, "seconds", SECONDS)


def show(seconds: float, seed: int, output_dir: str) -> None:
    """Train, compare, print."""
    console, started = Console(), time.monotonic()
    console.print(f"One small language model, two methods, {seconds:.0f} s of training each.\n", highlight=False)
    rows, hindsight = compare(seconds, seed, output_dir)
    console.print()
    console.print(text_table("greedy success, 95 % interval in brackets", _turned(rows)))
    _print_samples(console, rows)
    folder = (hindsight.folder / "policy").resolve()
    console.print(f"\nThe model with hindsight lies in {folder}", highlight=False, soft_wrap=True)
    console.print(f"All of it took {time.monotonic() - started:.0f} s.", highlight=False)


def compare(seconds: float, seed: int, output_dir: str) -> tuple[dict[str, Row], Result]:
    """The rows of the table, and the run with hindsight."""
    settings: dict[str, Any] = {"seed": seed, "output_dir": output_dir, "eval_items": EVAL_ITEMS}
    hindsight = finetune("pocket", "instructions", hindsight="relabel", stop={"max_seconds": seconds}, **settings)
    attempts = hindsight.progress.attempts
    limits = {"max_seconds": seconds, "max_attempts": attempts}
    settings["learning_rate"] = CONTROL_LEARNING_RATE
    fewer = finetune("pocket", "instructions", hindsight="outcome", stop=limits, **settings)
    plain = _with_more_attempts(fewer)
    rows = {
        "before": _row(hindsight.before, 0),
        "plain RL, same attempts": _row(fewer.after, fewer.progress.attempts),
        "plain RL, same time": _row(plain.after, plain.progress.attempts),
        "with hindsight": _row(hindsight.after, attempts),
    }
    return rows, hindsight


def _with_more_attempts(result: Result) -> Result:
    """The same run, resumed until its time is up."""
    config = resume_config(RunReader(result.folder).config, ["stop.max_attempts=none"])
    return run(config, resume=result.folder)


def _row(evaluation: Evaluation, attempts: int) -> Row:
    in_domain = evaluation["in_domain"].trajectories
    good = estimate([float(bool(each.feedback.success) and world.is_well_formed(_text(each))) for each in in_domain])
    return Row(evaluation, fluency(load_policy("pocket"), in_domain, world.is_well_formed), good, attempts)


def _text(attempt: Trajectory) -> str:
    return (attempt.steps[-1].action.text or "").strip()


def _turned(rows: Mapping[str, Row]) -> dict[str, dict[str, str]]:
    """One line a figure and one column a policy, which fits a narrow terminal."""
    cells = {name: _cells(row) for name, row in rows.items()}
    figures = next(iter(cells.values()))
    return {figure: {name: own[figure] for name, own in cells.items()} for figure in figures}


def _cells(row: Row) -> Mapping[str, str]:
    cells = {title: _percent(row.evaluation[split].reward) for split, title in SPLITS.items()}
    likelihood = row.fluency.log_likelihood
    return {
        "attempts at training": f"{row.attempts:,}",
        **cells,
        "success and well formed": _percent(row.good),
        "malformed": _percent(row.fluency.malformed),
        "log-likelihood a token": f"{likelihood.mean:.2f} ({likelihood.low:.2f} to {likelihood.high:.2f})",
        "distinct": f"{row.fluency.distinct:.0%}",
    }


def _percent(share: Estimate) -> str:
    return interval_text(share, as_percent=True)


def _print_samples(console: Console, rows: Mapping[str, Row]) -> None:
    """The first items of the split, whatever came of them."""
    before, after = (rows[name].evaluation["in_domain"].trajectories for name in ("before", "with hindsight"))
    for asked, answered in list(zip(before, after, strict=True))[:SHOWN_SAMPLES]:
        console.print(f"\n{asked.start.prompt}", markup=False, highlight=False)
        for name, attempt in (("before", asked), ("after ", answered)):
            mark = "✓" if attempt.feedback.success else "✗"
            console.print(f"  {name} {mark} {_text(attempt)}", markup=False, highlight=False)


if __name__ == "__main__":
    main()
