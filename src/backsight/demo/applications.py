"""`make demo-all`: sentiment, translation, summarization and dialogue, each with and without hindsight, in one table.

The pocket model is trained on each preset twice with as many attempts, with the preset's own hindsight and with
`outcome` (plain reinforcement learning), and looked at on items that neither was trained on.
"""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console

from backsight.demo.command import run_demo
from backsight.finetuning import finetune
from backsight.hindsight.config import label
from backsight.presets import catalogue as presets
from backsight.reports.tables import interval_text, text_table
from backsight.session import Result

ATTEMPTS = 10_240
"""Of each method at most; a preset may be content with fewer."""
EVAL_ITEMS = 300
"""Of each split."""
APPLICATIONS = {
    "sentiment": "right labels",
    "translation": "chrF",
    "summarization": "main facts told",
    "dialogue": "reward of a dialogue",
}
"""The presets, and what is measured there."""
SPLITS = {"in_domain": "as trained", "domains": "held-out domains", "longer": "longer ones"}


def main() -> None:
    """Parse, run, print."""
    description = "Train the pocket model on all four applications, with and without hindsight."
    run_demo(description, show, "attempts", ATTEMPTS)


def show(attempts: int, seed: int, output_dir: str) -> None:
    """Train, compare, print."""
    console, started = Console(), time.monotonic()
    console.print(f"One small language model, four applications, two methods, {attempts:,} attempts each at most.\n")
    rows: dict[str, dict[str, str]] = {}
    for preset, metric in APPLICATIONS.items():
        method = label(presets.get(preset).config.hindsight)
        console.print(f"{preset} ({metric}), by hindsight with {method}", highlight=False)
        hindsight, plain = compare(preset, attempts, seed, output_dir)
        rows |= _rows(preset, hindsight, plain)
        _print_sample(console, hindsight)
    console.print()
    console.print(text_table("greedy attempts, mean reward in %, 95 % interval in brackets", rows))
    console.print(f"\nAll of it took {time.monotonic() - started:.0f} s.", highlight=False)


def compare(preset: str, attempts: int, seed: int, output_dir: str) -> tuple[Result, Result]:
    """The run with the preset's hindsight, and plain reinforcement learning with as many attempts."""
    enough = presets.get(preset).config.stop.max_attempts or attempts
    shared: dict[str, Any] = {
        "seed": seed,
        "output_dir": output_dir,
        "eval_items": EVAL_ITEMS,
        "stop": {"max_attempts": min(attempts, enough)},
    }
    hindsight = finetune("pocket", preset, **shared)
    plain = finetune("pocket", preset, hindsight="outcome", **shared)
    return hindsight, plain


def _rows(title: str, hindsight: Result, plain: Result) -> dict[str, dict[str, str]]:
    """One line a split."""
    columns = {"before": hindsight.before, "plain RL": plain.after, "with hindsight": hindsight.after}
    return {
        f"{title}, {words}": {
            column: interval_text(evaluation[split].reward, as_percent=True) for column, evaluation in columns.items()
        }
        for split, words in SPLITS.items()
    }


def _print_sample(console: Console, result: Result) -> None:
    """The first item of the first split, whatever came of it."""
    before, after = (each["in_domain"].trajectories[0] for each in (result.before, result.after))
    console.print(f"\n{before.steps[0].observation}", markup=False, highlight=False)
    for name, attempt in (("before", before), ("after ", after)):
        mark = "✓" if attempt.feedback.success else "✗"
        said = " / ".join((step.action.text or "").strip() for step in attempt.steps)
        console.print(f"  {name} {mark} {said}", markup=False, highlight=False)
    console.print()


if __name__ == "__main__":
    main()
