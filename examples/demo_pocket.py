"""Before your eyes, a small language model gets better, with and without hindsight.

    make demo        `instructions`: write a sentence that obeys four constraints at once
    make demo-all    the four applications: sentiment, translation, summarization, dialogue

The pocket model is trained with plain reinforcement learning and with hindsight, and both are shown on items that
neither was trained on. Runs that are finished are kept in the folder; with `--folder` an interrupted demo goes on.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from backsight.comparison.runner import Job, Record, do_all, do_once
from backsight.config import resume_config
from backsight.errors import BacksightError
from backsight.evaluation.evaluator import Evaluation
from backsight.evaluation.fluency import measure_fluency
from backsight.evaluation.statistics import Estimate, estimate
from backsight.presets.base import find_preset
from backsight.reports.run_folder import RunReader
from backsight.reports.tables import interval_text, text_table
from backsight.runs.finetune import Result, finetune, resume
from backsight.runs.start import load_policy
from backsight_pocket import world

SECONDS, ATTEMPTS = 95.0, 10_240
"""Training of each method in `instructions`, and of each method and application; a preset may be content with less."""
CONTROL_LEARNING_RATE = 1.5e-3
"""The best of the sweep for plain RL; the preset has the best one for hindsight (benchmarks/sweep/run.py)."""
INSTRUCTIONS = {
    "in_domain": "trained combinations",
    "combinations": "held-out combinations",
    "domains": "held-out domains",
    "more": "more constraints",
}
APPLICATIONS = {
    "sentiment": "right labels",
    "translation": "chrF",
    "summarization": "main facts told",
    "dialogue": "reward of a dialogue",
}
SPLITS = {"in_domain": "as trained", "domains": "held-out domains", "longer": "longer ones"}
SHOWN_SAMPLES = 3


class Demo:
    """One call of the demo: how much training, which seed, and where its runs lie."""

    def __init__(self, budget: float, seed: int, folder: Path, console: Console) -> None:
        self.budget, self.seed, self.folder, self.console = budget, seed, folder, console

    def finetune(self, preset: str, name: str, stop: Mapping[str, float], **settings: Any) -> Result:
        """Train the pocket model on a preset, in a run folder of this name."""
        return finetune(
            "pocket", preset, stop=stop, seed=self.seed, output_dir=str(self.folder), run_name=name, **settings
        )

    def show_instructions(self) -> None:
        """Train with hindsight and without it for the same time, and print what came of it."""
        self.console.print(f"One small language model, two methods, {self.budget:.0f} s of training each.\n")
        records = {name: self._record(name) for name in ("with hindsight", "plain RL")}
        hindsight, plain = records.values()
        rows = {
            "before": hindsight["before"],
            "plain RL, same attempts": plain["fewer"],
            "plain RL, same time": plain["after"],
            "with hindsight": hindsight["after"],
        }
        self.console.print()
        self.console.print(text_table("greedy success, 95 % interval in brackets", _turn(rows)))
        for before, after in list(zip(hindsight["before"]["samples"], hindsight["after"]["samples"], strict=True)):
            _print_sample(self.console, before, after)
        place = (self.folder / "with-hindsight" / "policy").resolve()
        self.console.print(f"\nThe model with hindsight lies in {place}", highlight=False, soft_wrap=True)

    def _record(self, name: str) -> Record:
        return do_once(Job(name, self.seed), self._train_instructions, self.folder)

    def _train_instructions(self, job: Job) -> Record:
        """Train with one method. Plain RL is evaluated after as many attempts as hindsight had, and at the end."""
        shared = {"eval_items": 400}
        if job.name == "with hindsight":
            stop = {"max_seconds": self.budget}
            result = self.finetune("instructions", "with-hindsight", stop, hindsight="relabel", **shared)
            return {"before": _look(result, result.before, 0), "after": _look(result, result.after)}
        limits = {"max_seconds": self.budget, "max_attempts": self._record("with hindsight")["after"]["attempts"]}
        rate = CONTROL_LEARNING_RATE
        fewer = self.finetune("instructions", "plain-rl", limits, hindsight="outcome", learning_rate=rate, **shared)
        config = resume_config(RunReader(fewer.folder).config, ["stop.max_attempts=none"])
        plain = resume(config, fewer.folder)
        return {"fewer": _look(fewer, fewer.after), "after": _look(plain, plain.after)}

    def show_applications(self) -> None:
        """Train on each application with hindsight and without it, and print one table."""
        self.console.print(f"Four applications, two methods, {self.budget:,.0f} attempts each at most.\n")
        jobs = [Job(preset, self.seed) for preset in APPLICATIONS]
        rows: dict[str, dict[str, str]] = {}
        for job, record in do_all(jobs, self._train_application, self.folder):
            for split, words in SPLITS.items():
                title = f"{job.name} ({APPLICATIONS[job.name]}), {words}"
                rows[title] = {column: _percent(own["reward"][split]) for column, own in record.items()}
            _print_sample(self.console, record["before"]["samples"][0], record["with hindsight"]["samples"][0])
        self.console.print()
        self.console.print(text_table("greedy attempts, mean reward in %, 95 % interval in brackets", rows))

    def _train_application(self, job: Job) -> Record:
        config = find_preset(job.name).config
        self.console.print(f"{job.name} ({APPLICATIONS[job.name]}), by hindsight with {config.hindsight.label}")
        stop = {"max_attempts": int(min(self.budget, config.stop.max_attempts or self.budget))}
        hindsight = self.finetune(job.name, f"{job.name}-hindsight", stop, eval_items=300)
        plain = self.finetune(job.name, f"{job.name}-plain-rl", stop, eval_items=300, hindsight="outcome")
        return {
            "before": _scores(hindsight.before),
            "plain RL": _scores(plain.after),
            "with hindsight": _scores(hindsight.after),
        }


def _scores(evaluation: Evaluation) -> Record:
    """Return the rewards by split, and the first attempts of the first split, whatever came of them."""
    first = next(iter(evaluation.values())).trajectories[:SHOWN_SAMPLES]
    samples = [
        {
            "asked": str(each.steps[0].observation),
            "said": " / ".join(each.texts),
            "success": bool(each.feedback.success),
        }
        for each in first
    ]
    return {"reward": {split: asdict(own.reward) for split, own in evaluation.items()}, "samples": samples}


def _look(result: Result, evaluation: Evaluation, attempts: int | None = None) -> Record:
    """Return the scores of `instructions`, and how fluent the sentences in domain are."""
    in_domain = evaluation["in_domain"].trajectories
    good = [float(bool(each.feedback.success) and world.is_well_formed(each.texts[-1])) for each in in_domain]
    fluency = measure_fluency(load_policy("pocket"), in_domain, world.is_well_formed)
    return {
        **_scores(evaluation),
        "good": asdict(estimate(good)),
        "fluency": asdict(fluency),
        "attempts": result.progress.attempts if attempts is None else attempts,
    }


def _turn(rows: Mapping[str, Record]) -> dict[str, dict[str, str]]:
    """Make one line a figure and one column a policy, which fits a narrow terminal."""
    cells = {name: _cells(own) for name, own in rows.items()}
    figures = next(iter(cells.values()))
    return {figure: {name: own[figure] for name, own in cells.items()} for figure in figures}


def _cells(own: Record) -> Mapping[str, str]:
    likelihood = Estimate(**own["fluency"]["log_likelihood"])
    return {
        "attempts at training": f"{own['attempts']:,}",
        **{title: _percent(own["reward"][split]) for split, title in INSTRUCTIONS.items()},
        "success and well formed": _percent(own["good"]),
        "malformed": _percent(own["fluency"]["malformed"]),
        "log-likelihood a token": f"{likelihood.mean:.2f} ({likelihood.low:.2f} to {likelihood.high:.2f})",
        "distinct": f"{own['fluency']['distinct']:.0%}",
    }


def _percent(values: Mapping[str, Any]) -> str:
    return interval_text(Estimate(**values), as_percent=True)


def _print_sample(console: Console, before: Record, after: Record) -> None:
    console.print(f"\n{before['asked']}", markup=False, highlight=False)
    for name, own in (("before", before), ("after ", after)):
        console.print(f"  {name} {'✓' if own['success'] else '✗'} {own['said']}", markup=False, highlight=False)


def _new_folder(name: str) -> Path:
    folders = (Path("runs") / f"{name}-{number}" for number in itertools.count(1))
    return next(each for each in folders if not each.exists())


def main(words: Sequence[str] | None = None) -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description="Train the pocket model with and without hindsight, and compare.")
    parser.add_argument("what", choices=("instructions", "applications"))
    parser.add_argument("--budget", type=float, help="of each method: seconds of instructions, else attempts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the runs are made; one that is there goes on")
    arguments = parser.parse_args(words)
    is_one = arguments.what == "instructions"
    budget = arguments.budget
    if budget is None:
        budget = SECONDS if is_one else ATTEMPTS
    folder = arguments.folder or _new_folder("demo")
    console, started = Console(highlight=False), time.monotonic()
    demo = Demo(budget, arguments.seed, folder, console)
    show: Callable[[], None] = demo.show_instructions if is_one else demo.show_applications
    try:
        show()
    except BacksightError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    console.print(f"\nAll of it took {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
