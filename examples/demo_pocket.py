"""Before your eyes, a small language model gets better, with and without hindsight.

    make demo-pocket `instructions`: write a sentence that obeys four constraints at once
    make demo-all    the four applications: sentiment, translation, summarization, dialogue

The pocket model is trained with plain reinforcement learning and with hindsight, and both are shown on items that
neither was trained on. Runs that are finished are kept in the folder; with `--folder` an interrupted demo goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from showing import new_folder, percent, settings_of, show, tell

from backsight.comparison.runner import Job, Record, do_all, do_once
from backsight.evaluation.evaluator import Evaluation
from backsight.evaluation.fluency import measure_fluency
from backsight.evaluation.statistics import Estimate, estimate
from backsight.presets.base import find_preset
from backsight.reports.tables import text_table
from backsight.runs.finetune import Result, finetune
from backsight.runs.start import load_policy
from backsight.tasks.base import Task
from backsight_pocket import world
from backsight_pocket.instructions import InstructionsTask

SECONDS, ATTEMPTS = 70.0, 10_240
"""Training of each method in `instructions`, and of each method and application; a preset may be content with less."""
CONTROLS = {"plain RL, all or nothing": ("success", 3e-4), "plain RL, share": ("constraints", 7e-4)}
"""What plain RL is rewarded for, and its learning rate of those in benchmarks/sweep/run.py, where hindsight has its own
from as well."""
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
    "dialogue": "what was wanted was offered",
}
SPLITS = {"in_domain": "as trained", "domains": "held-out domains", "longer": "longer ones"}
SHOWN_SAMPLES = 3


class Demo:
    """One call of the demo: how much training, which seed, and where its runs lie."""

    def __init__(self, budget: float, seed: int, folder: Path, console: Console) -> None:
        self.budget, self.seed, self.folder, self.console = budget, seed, folder, console

    def finetune(self, task: str | Task, name: str, stop: Mapping[str, float], **settings: Any) -> Result:
        """Train the pocket model on a preset or a task, in a run folder of this name."""
        return finetune(
            "pocket", task, stop=stop, seed=self.seed, output_dir=str(self.folder), run_name=name, **settings
        )

    def show_instructions(self) -> None:
        """Train with hindsight, and without it for the same time on either reward, and print what came of it."""
        tell(self.console, f"One small language model, three ways, {self.budget:.0f} s of training each.\n")
        hindsight = self._record("with hindsight", self._train_with_hindsight)
        plain = {
            name: self._record(name, partial(self._train_without, reward, rate))
            for name, (reward, rate) in CONTROLS.items()
        }
        rows = {"before": hindsight["before"], **plain, "with hindsight": hindsight["after"]}
        self.console.print()
        self.console.print(text_table("greedy success, 95 % interval in brackets", _turn(rows)))
        for before, after in list(zip(hindsight["before"]["samples"], hindsight["after"]["samples"], strict=True)):
            _print_sample(self.console, before, after)
        place = (self.folder / "with-hindsight" / "policy").resolve()
        tell(self.console, f"\nThe model with hindsight lies in {place}")

    def _record(self, name: str, work: Callable[[], Record]) -> Record:
        return do_once(Job(name, self.seed), lambda job: work(), self.folder)

    def _train_with_hindsight(self) -> Record:
        stop = {"max_seconds": self.budget}
        result = self.finetune("instructions", "with-hindsight", stop, hindsight="relabel", eval_items=400)
        return {"before": _look(result, result.before, 0), "after": _look(result, result.after)}

    def _train_without(self, reward: Literal["success", "constraints"], learning_rate: float) -> Record:
        settings = settings_of("instructions", "pocket") | {
            "hindsight": "outcome",
            "learning_rate": learning_rate,
            "eval_items": 400,
        }
        stop = {"max_seconds": self.budget}
        result = self.finetune(InstructionsTask(reward=reward), f"plain-rl-{reward}", stop, **settings)
        return _look(result, result.after)

    def show_applications(self) -> None:
        """Train on each application with hindsight and without it, and print one table."""
        self.console.print(f"Four applications, two methods, {self.budget:,.0f} attempts each at most.\n")
        jobs = [Job(preset, self.seed) for preset in APPLICATIONS]
        rows: dict[str, dict[str, str]] = {}
        for job, record in do_all(jobs, self._train_application, self.folder):
            for split, words in SPLITS.items():
                title = f"{job.name} ({APPLICATIONS[job.name]}), {words}"
                rows[title] = {column: percent(own["score"][split]) for column, own in record.items()}
            _print_sample(self.console, record["before"]["samples"][0], record["with hindsight"]["samples"][0])
        self.console.print()
        self.console.print(text_table("greedy attempts, mean score in %, 95 % interval in brackets", rows))

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
    """Return the success by split, else the reward, and the first attempts of the first split, whatever they are."""
    first = next(iter(evaluation.values())).trajectories[:SHOWN_SAMPLES]
    samples = [
        {
            "asked": str(each.steps[0].observation),
            "said": " / ".join(each.texts),
            "success": bool(each.feedback.success),
        }
        for each in first
    ]
    scores = {split: own.rewards.get("success", own.reward) for split, own in evaluation.items()}
    return {"score": {split: asdict(each) for split, each in scores.items()}, "samples": samples}


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
        **{title: percent(own["score"][split]) for split, title in INSTRUCTIONS.items()},
        "success and well formed": percent(own["good"]),
        "malformed": percent(own["fluency"]["malformed"]),
        "log-likelihood a token": f"{likelihood.mean:.2f} ({likelihood.low:.2f} to {likelihood.high:.2f})",
        "distinct": f"{own['fluency']['distinct']:.0%}",
    }


def _print_sample(console: Console, before: Record, after: Record) -> None:
    tell(console, f"\n{before['asked']}")
    for name, own in (("before", before), ("after ", after)):
        tell(console, f"  {name} {'✓' if own['success'] else '✗'} {own['said']}")


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
    console = Console(highlight=False)
    demo = Demo(budget, arguments.seed, arguments.folder or new_folder("demo-pocket"), console)
    show(demo.show_instructions if is_one else demo.show_applications, console)


if __name__ == "__main__":
    main()
