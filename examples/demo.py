"""Before your eyes, a pretrained model learns what it fails at in every attempt, with hindsight.

    make demo            SmolLM2-135M-Instruct before and after a few minutes of training
    make demo-compare    the same attempts without hindsight: what a user would do otherwise

The task is a small one of reasoning-gym: the sum of two numbers, the answer alone. The model never answers like that at
first, so that plain reinforcement learning has next to nothing to learn from; in hindsight the right answer is
revealed. Numbers and questions that were not trained are shown as well. Runs that are finished are kept in the folder;
with `--folder` an interrupted demo goes on.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from showing import new_folder, percent, show, tell

from backsight.comparison.runner import Job, Record, do_once
from backsight.errors import printable
from backsight.evaluation.log_probs import mean_log_probs
from backsight.evaluation.statistics import estimate
from backsight.policies.text import TextPolicy
from backsight.reports.tables import text_table
from backsight.rollouts.engines import engine_for
from backsight.runs.evaluate import Assessment, evaluate
from backsight.runs.finetune import finetune
from backsight.runs.start import load_policy
from backsight.tasks.base import draw_items
from backsight.tasks.instructions.task import InstructionsTask
from backsight.types import Example, Sampling, Trajectory

ROOT = Path(__file__).resolve().parents[1]
POLICY = "smollm2"
SUMS = "reasoning-gym:chain_sum,min_terms={0},max_terms={0},min_digits={1},max_digits={2}"
TRAINED = SUMS.format(2, 1, 2)
QUESTIONS = {
    "two numbers, as trained": TRAINED,
    "three numbers": SUMS.format(3, 1, 2),
    "numbers of three digits": SUMS.format(2, 3, 3),
    "asked in other words": "reasoning-gym:basic_arithmetic,min_terms=2,max_terms=2,min_digits=1,max_digits=2",
}
"""What is asked: the first is trained, and none of the questions that are shown."""
SETTINGS: Mapping[str, Any] = {
    "learning_rate": 3e-5,
    "num_generations": 8,
    "prompts_per_step": 8,
    "max_completion_length": 16,
    "eval_items": 100,
}
SECONDS = 240.0
"""Training with hindsight; the others have as many attempts, or rows."""
ROWS_AT_ONCE = 32
"""Gold answers in a step of supervised fine-tuning."""
MEASURED = ROOT / "benchmarks" / "results" / "demo.json"
"""What `make demo-compare` measured."""
HINDSIGHT = "with hindsight"
SAMPLES = 4
"""Number of answers of which best-of-n takes one."""
EVERYDAY, EVERYDAY_TOKENS = 24, 32
"""Number of everyday requests that tell what was forgotten, and the most tokens of an answer."""
CHOICE = "the first that only the trained model answers, the first that only the base does, the first that none does"


class Demo:
    """One call of the demo: how much training, which seed, and where its runs lie."""

    def __init__(self, seconds: float, seed: int, folder: Path, console: Console) -> None:
        self.seconds, self.seed, self.folder, self.console = seconds, seed, folder, console

    def show_training(self) -> None:
        """Train with hindsight, and show the model before and after it."""
        tell(self.console, f"{POLICY} learns to add: {self.seconds:.0f} s of training on this machine.\n")
        rows = self._before_and_after()
        self.console.print()
        self.console.print(text_table("right answers, greedy, 95 % interval in brackets", _turn(rows)))
        self._show_controls()
        _show_samples(self.console, rows["before"]["samples"], rows[HINDSIGHT]["samples"])
        place = (self.folder / "with-hindsight").resolve()
        tell(self.console, f"\nThe trained model lies in {place}; talk to it:\n    backsight chat {place}")

    def compare(self) -> None:
        """Do as well as one can without hindsight with as many attempts, and keep what came of it."""
        rows = self._before_and_after()
        attempts = rows[HINDSIGHT]["attempts"]
        rows["plain RL"] = self._record("plain RL", {"hindsight": "outcome"}, {"max_attempts": attempts})
        supervised = {"hindsight": "supervised", "prompts_per_step": ROWS_AT_ONCE}
        rows["SFT on right answers"] = self._record("SFT", supervised, {"max_steps": max(1, attempts // ROWS_AT_ONCE)})
        rows[f"best of {SAMPLES}, untrained"] = do_once(Job("best of n", self.seed), self._best_of_n, self.folder)
        kept = {name: {key: own[key] for key in own if key != "samples"} for name, own in rows.items()}
        measured = {"date": date.today().isoformat(), "seed": self.seed, "attempts": attempts, "rows": kept}
        (self.folder / "demo.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
        self.console.print(text_table(f"{attempts:,} attempts, or rows, each", _turn(rows)))
        tell(self.console, f"\nwritten: {self.folder / 'demo.json'}; make demo shows {MEASURED.relative_to(ROOT)}")

    def _before_and_after(self) -> dict[str, Record]:
        before = do_once(Job("before", self.seed), lambda job: _look(POLICY, 0), self.folder)
        settings = {"hindsight": "gold_anchor"}
        return {"before": before, HINDSIGHT: self._record(HINDSIGHT, settings, {"max_seconds": self.seconds})}

    def _record(self, name: str, changes: Mapping[str, Any], stop: Mapping[str, float]) -> Record:
        """Train in a run folder of this name, once, and return the figures of the policy."""

        def train(job: Job) -> Record:
            run_name = name.replace(" ", "-")
            place = {"output_dir": str(self.folder), "run_name": run_name, "seed": self.seed, "stop": stop}
            result = finetune(POLICY, TRAINED, **{**SETTINGS, **changes, **place})
            return _look(str(result.folder), result.progress.attempts or result.progress.step * ROWS_AT_ONCE)

        return do_once(Job(name, self.seed), train, self.folder)

    def _best_of_n(self, job: Job) -> Record:
        """Take the best of several answers of the untrained model, for which one has to check at answering."""
        best = {
            words: [max(own, key=_reward) for own in _answers(POLICY, task, SAMPLES)["test"].attempts]
            for words, task in QUESTIONS.items()
        }
        return _figures(best, 0) | {"drift": 0.0}

    def _show_controls(self) -> None:
        if MEASURED.is_file():
            measured = json.loads(MEASURED.read_text(encoding="utf-8"))
            title = f"{measured['attempts']:,} attempts, or rows, each: make demo-compare on {measured['date']}"
            self.console.print(text_table(title, _turn(measured["rows"])))


def _answers(policy: str, task: str, samples: int = 1) -> Assessment:
    given = {key: SETTINGS[key] for key in ("max_completion_length", "eval_items")}
    with warnings.catch_warnings(action="ignore"):  # how the weights were stored is said once, by the run
        return evaluate(policy, task, samples=samples, splits=("test",), **given)


def _look(policy: str, attempts: int) -> Record:
    """Return the figures of one greedy answer to each question, and how far everyday answers have become unlikely."""
    found = {words: _answers(policy, task)["test"].trajectories for words, task in QUESTIONS.items()}
    return _figures(found, attempts) | {"drift": _drift(load_policy(policy))}


def _figures(answers: Mapping[str, Sequence[Trajectory]], attempts: int) -> Record:
    first = next(iter(answers.values()))
    return {
        "attempts": attempts,
        "right": {words: asdict(estimate([float(_is_right(each)) for each in own])) for words, own in answers.items()},
        "tokens": sum(each.num_decisions for each in first) / len(first),
        "samples": [{"asked": _asked(each), "said": each.texts[-1], "is_right": _is_right(each)} for each in first],
    }


def _drift(policy: TextPolicy) -> float:
    """Return how much less likely the base's answers to everyday requests have become, in nats a token."""
    base = load_policy(POLICY)
    requests = [str(item.columns["request"]) for item in draw_items(InstructionsTask().items("topics"), EVERYDAY)]
    prompts = [[{"role": "user", "content": request}] for request in requests]
    sampling = Sampling(temperature=0.0, max_completion_length=EVERYDAY_TOKENS)
    said = engine_for(base).act(prompts, sampling, range(len(prompts)))
    examples = [Example((prompts[index],), (action.value,), "everyday", action.log_probs) for index, action in said]
    before, after = (estimate(mean_log_probs(each, examples)).mean for each in (base, policy))
    return before - after


def _reward(attempt: Trajectory) -> float:
    return attempt.total_reward


def _is_right(attempt: Trajectory) -> bool:
    return bool(attempt.feedback.success)


def _asked(attempt: Trajectory) -> str:
    prompt = attempt.steps[0].observation
    return str(prompt if isinstance(prompt, str) else prompt[-1]["content"]).splitlines()[0]


def _turn(rows: Mapping[str, Record]) -> dict[str, dict[str, str]]:
    """Make one line a figure and one column a policy, which fits a narrow terminal."""
    cells = {name: _cells(own) for name, own in rows.items()}
    figures = next(iter(cells.values()))
    return {figure: {name: own[figure] for name, own in cells.items()} for figure in figures}


def _cells(own: Record) -> Mapping[str, str]:
    return {
        "attempts, or rows": f"{own['attempts']:,}",
        **{words: percent(values) for words, values in own["right"].items()},
        "tokens an answer": f"{own['tokens']:.1f}",
        "everyday answers, nats less likely": f"{own['drift']:.2f}",
    }


def _show_samples(console: Console, before: Sequence[Record], after: Sequence[Record]) -> None:
    """Show questions with both answers, chosen by a rule that is shown as well."""
    tell(console, f"\nThree questions, by rule: {CHOICE}.")
    for outcome in ((False, True), (True, False), (False, False)):
        pairs = zip(before, after, strict=True)
        found = next((pair for pair in pairs if tuple(each["is_right"] for each in pair) == outcome), None)
        if found is None:
            tell(console, "\n(There is none of this kind.)")
            continue
        tell(console, f"\n{printable(found[0]['asked'])}")
        for name, own in zip(("before", "after "), found, strict=True):
            tell(console, f"  {name} {'✓' if own['is_right'] else '✗'} {printable(own['said'])}")


def main(words: Sequence[str] | None = None) -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description="Train SmolLM2 to add, before your eyes.")
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
