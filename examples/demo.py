"""Before your eyes, a pretrained model learns to follow instructions, with hindsight.

    make demo            SmolLM2-135M-Instruct before and after a few minutes of training
    make demo-compare    the same attempts without hindsight: what a user would do otherwise

The task is the preset `instructions`: requests with three constraints that anybody could check. Both are shown on
requests, topics and constraints that were not trained. Runs that are finished are kept in the folder; with `--folder`
an interrupted demo goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from showing import new_folder, percent, settings_of, show, tell

from backsight.comparison.runner import Job, Record, do_once
from backsight.errors import printable
from backsight.evaluation.evaluator import Evaluation
from backsight.evaluation.fluency import measure_fluency
from backsight.evaluation.statistics import estimate
from backsight.presets.base import find_preset
from backsight.reports.tables import text_table
from backsight.runs.evaluate import evaluate
from backsight.runs.finetune import Result, finetune
from backsight.runs.start import load_policy
from backsight.tasks.instructions.task import InstructionsTask
from backsight.types import Trajectory

ROOT = Path(__file__).resolve().parents[1]
POLICY, PRESET = "smollm2", "instructions"
SECONDS = 300.0
"""Training with hindsight; the others have as many attempts."""
EVAL_ITEMS = 60
SPLITS = {
    "in_domain": "new requests",
    "topics": "new topics",
    "kinds": "new kinds of constraints",
    "more": "five constraints, three trained",
}
MEASURED = ROOT / "benchmarks" / "results" / "demo.json"
"""What `make demo-compare` measured."""
HINDSIGHT = "with hindsight"
PLAIN_RL: Mapping[str, Any] = {"hindsight": "outcome"}
SFT: Mapping[str, Any] = {"hindsight": "best_of_n"}
"""How the controls differ from the preset: the best of their sweeps. SFT imitates the attempts that succeeded."""
CHOICE = (
    "the first request that only the trained model answers, the first that only the base does, the first that none does"
)
FLUENT = 0.6
"""Least share of words, and of pairs of neighbours, that do not repeat in an honest answer."""
SAMPLES = 8
"""Number of answers of which best-of-n takes one."""


class Demo:
    """One call of the demo: how much training, which seed, and where its runs lie."""

    def __init__(self, seconds: float, seed: int, folder: Path, console: Console) -> None:
        self.seconds, self.seed, self.folder, self.console = seconds, seed, folder, console

    def show_training(self) -> None:
        """Train with hindsight, and show the model before and after it."""
        tell(
            self.console,
            f"{POLICY} learns to follow instructions: {self.seconds:.0f} s of training, on this machine.\n",
        )
        record = self._record(HINDSIGHT, self._train_with_hindsight)
        rows = {"before": record["before"], f"after {record['after']['attempts']:,} attempts": record["after"]}
        self.console.print()
        self.console.print(text_table("greedy answers, 95 % interval in brackets", _turn(rows)))
        self._show_controls()
        _show_samples(self.console, record["before"]["samples"], record["after"]["samples"])
        place = (self.folder / "with-hindsight").resolve()
        tell(self.console, f"\nThe trained model lies in {place}; talk to it:\n    backsight chat {place}")

    def compare(self) -> None:
        """Train as well as one can without hindsight on as many attempts, and keep what came of it."""
        record = self._record(HINDSIGHT, self._train_with_hindsight)
        attempts = record["after"]["attempts"]
        controls: Mapping[str, Callable[[], Record]] = {
            "plain RL, all or nothing": lambda: self._without_hindsight("success", attempts, PLAIN_RL),
            "plain RL, share of constraints": lambda: self._without_hindsight("constraints", attempts, PLAIN_RL),
            f"best of {SAMPLES}, untrained": self._best_of_n,
            "SFT on successes": lambda: self._without_hindsight("success", attempts, SFT),
        }
        rows = {"before": record["before"], HINDSIGHT: record["after"]}
        rows |= {name: self._record(name, work) for name, work in controls.items()}
        measured = {"date": date.today().isoformat(), "seed": self.seed, "attempts": attempts, "rows": _kept(rows)}
        (self.folder / "demo.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
        self.console.print(text_table(f"{attempts} attempts each", _turn(rows)))
        tell(self.console, f"\nwritten: {self.folder / 'demo.json'}; make demo shows {MEASURED.relative_to(ROOT)}")

    def _record(self, name: str, work: Callable[[], Record]) -> Record:
        return do_once(Job(name, self.seed), lambda job: work(), self.folder)

    def _finetune(self, name: str, task: Any, **settings: Any) -> Result:
        """Train in a run folder of this name, with the settings of the preset where no others are given."""
        return finetune(
            POLICY, task, seed=self.seed, output_dir=str(self.folder), run_name=name, eval_items=EVAL_ITEMS, **settings
        )

    def _train_with_hindsight(self) -> Record:
        result = self._finetune("with-hindsight", PRESET, stop={"max_seconds": self.seconds})
        return {"before": _look(_answers(result.before), 0), "after": _after(result)}

    def _without_hindsight(
        self, reward: Literal["success", "constraints"], attempts: int, changes: Mapping[str, Any]
    ) -> Record:
        settings = settings_of(PRESET, POLICY) | {"stop": {"max_attempts": attempts}, **changes}
        name = f"{changes['hindsight']}-{reward}"
        return _after(self._finetune(name, InstructionsTask(reward=reward), **settings))

    def _best_of_n(self) -> Record:
        """Take the best of several answers of the untrained model, for which one has to check at answering."""
        found = evaluate(
            POLICY, PRESET, samples=SAMPLES, eval_items=EVAL_ITEMS, splits=tuple(SPLITS), **self._sampling()
        )
        best = {split: [max(own, key=_share) for own in scores.attempts] for split, scores in found.splits.items()}
        return _look(best, 0)

    def _sampling(self) -> dict[str, Any]:
        config = find_preset(PRESET).config
        return {"temperature": config.temperature, "max_completion_length": config.max_completion_length}

    def _show_controls(self) -> None:
        if not MEASURED.is_file():
            return
        measured = json.loads(MEASURED.read_text(encoding="utf-8"))
        title = f"{measured['attempts']} attempts each, by make demo-compare on {measured['date']}"
        self.console.print(text_table(title, {name: _cells(own) for name, own in measured["rows"].items()}))


def _answers(evaluation: Evaluation) -> dict[str, Sequence[Trajectory]]:
    return {split: scores.trajectories for split, scores in evaluation.items()}


def _after(result: Result) -> Record:
    return _look(_answers(result.after), result.progress.attempts)


def _look(answers: Mapping[str, Sequence[Trajectory]], attempts: int) -> Record:
    """Return the figures of one answer to each request of each split, and those of the first split as they are."""
    first = answers[next(iter(SPLITS))]
    fluency = measure_fluency(load_policy(POLICY), first, lambda text: True)
    named = ("words", "distinct", "unrepeated", "plain")
    return {
        "attempts": attempts,
        "success": {split: _estimate(own, "success") for split, own in answers.items()},
        "share": {split: _estimate(own, "constraints") for split, own in answers.items()},
        "honest": asdict(estimate([float(_is_honest(each)) for each in first])),
        "fluency": asdict(fluency.log_likelihood),
        **{name: _estimate(first, name) for name in named},
        "samples": [{"asked": _asked(each), "said": each.texts[-1], "success": _succeeded(each)} for each in first],
    }


def _estimate(attempts: Sequence[Trajectory], name: str) -> dict[str, float]:
    return asdict(estimate([each.feedback.rewards[name] for each in attempts]))


def _succeeded(attempt: Trajectory) -> bool:
    return bool(attempt.feedback.success)


def _share(attempt: Trajectory) -> float:
    return attempt.feedback.rewards["constraints"]


def _is_honest(attempt: Trajectory) -> bool:
    """Return whether an answer succeeds without repeating itself, and without marks that nobody asked for."""
    rewards = attempt.feedback.rewards
    return (
        bool(attempt.feedback.success)
        and rewards["plain"] == 1
        and min(rewards["distinct"], rewards["unrepeated"]) >= FLUENT
    )


def _asked(attempt: Trajectory) -> str:
    prompt = attempt.steps[0].observation
    return str(prompt if isinstance(prompt, str) else prompt[-1]["content"])


def _kept(rows: Mapping[str, Record]) -> dict[str, Record]:
    """Return the figures without the answers."""
    return {name: {key: value for key, value in own.items() if key != "samples"} for name, own in rows.items()}


def _turn(rows: Mapping[str, Record]) -> dict[str, dict[str, str]]:
    """Make one line a figure and one column a policy, which fits a narrow terminal."""
    cells = {name: _cells(own) for name, own in rows.items()}
    figures = next(iter(cells.values()))
    return {figure: {name: own[figure] for name, own in cells.items()} for figure in figures}


def _cells(own: Record) -> Mapping[str, str]:
    return {
        **{f"all met, {title}": percent(own["success"][split]) for split, title in SPLITS.items()},
        "share met, new requests": percent(own["share"]["in_domain"]),
        "all met and honest": percent(own["honest"]),
        "words": f"{own['words']['mean']:.0f}",
        "words that differ": f"{own['distinct']['mean']:.0%}",
        "log-likelihood a token": f"{own['fluency']['mean']:.2f}",
    }


def _show_samples(console: Console, before: Sequence[Record], after: Sequence[Record]) -> None:
    """Show requests with both answers, chosen by a rule that is shown as well."""
    tell(console, f"\nThree requests, by rule: {CHOICE}.")
    for outcome in ((False, True), (True, False), (False, False)):
        pairs = zip(before, after, strict=True)
        found = next((pair for pair in pairs if tuple(each["success"] for each in pair) == outcome), None)
        if found is None:
            tell(console, "\n(There is none of this kind.)")
            continue
        tell(console, f"\n{found[0]['asked']}")
        for name, own in zip(("before", "after "), found, strict=True):
            tell(console, f"  {name} {'✓' if own['success'] else '✗'} {printable(own['said'])}")


def main(words: Sequence[str] | None = None) -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description="Train SmolLM2 to follow instructions, before your eyes.")
    parser.add_argument("what", choices=("train", "compare"), nargs="?", default="train")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="training with hindsight")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the runs are made; one that is there goes on")
    arguments = parser.parse_args(words)
    console = Console(highlight=False)
    demo = Demo(arguments.seconds, arguments.seed, arguments.folder or new_folder("demo"), console)
    show(demo.compare if arguments.what == "compare" else demo.show_training, console)


if __name__ == "__main__":
    main()
