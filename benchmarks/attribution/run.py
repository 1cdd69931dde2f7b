"""Is an explanation true? Rows are taken out of a step, the step is done again, and predictions are held against it.

    python benchmarks/attribution/run.py              about 15 minutes on 2 cores; what is done is kept
    python benchmarks/attribution/run.py --quick      the pocket model, one method; no results are written
    python benchmarks/attribution/run.py --only pocket

A short run keeps checkpoints; a step behind one is made again. For held-out items with their right answers, and for
rows of that step (those that the explanation names first, and others drawn at random), the predicted change of each
answer's log-probability is compared with that of the step done again without the row: Spearman's rank correlation over
all pairs. Beside it stands the product of plain gradients, without what AdamW divides them by.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # run as a script, `benchmarks` is a package of the repository

import argparse
import random
import tempfile
from dataclasses import asdict, dataclass
from typing import Any

import torch
from rich.console import Console

from backsight import finetune
from backsight.attribution.influence import StepInfluences
from backsight.comparison.runner import Job, do_all
from backsight.evaluation.statistics import spearman
from backsight.reports.tables import text_table
from backsight.runs.replay import Replay, replay
from backsight.types import Example
from benchmarks.shared.places import DATA, KEPT
from benchmarks.shared.results import Figure, print_aims, write_results

AIM = 0.8
FOLDER = KEPT / "attribution-benchmark"
"""Cases that are done are kept in it."""
POLARITY = DATA / "sentiment" / "sentence_polarity"
SHORT = {"learning_rate": 1e-4, "stop": {"max_steps": 7}, "save_steps": 3, "save_total_limit": 9, "eval_items": 50}


@dataclass(frozen=True, slots=True)
class Case:
    """A run whose steps are explained."""

    name: str
    policy: str
    preset: str
    settings: dict[str, Any]
    step: int
    num_answers: int = 20
    num_rows: int = 16
    """Rows that are taken out, one after the other: half of them those that are named first."""


REAL = {
    "hindsight": "gold_anchor",
    "data": str(POLARITY / "train.jsonl.gz"),
    "eval_data": str(POLARITY / "test.jsonl.gz"),
    "prompts_per_step": 6,
    "num_generations": 4,
    **SHORT,
    "learning_rate": 1e-5,
    "stop": {"max_steps": 3},
    "save_steps": 1,
}
CASES = [
    *(
        Case(f"pocket, {preset}, {method}, step {step}", "pocket", preset, {"hindsight": method, **SHORT}, step)
        for preset, method in (("sentiment", "gold_anchor"), ("translation", "relabel"), ("summarization", "outcome"))
        for step in (1, 4)
    ),
    Case(
        "SmolLM2, sentiment, gold_anchor, step 3",
        "smollm2",
        "sentiment",
        {"hindsight": "gold_anchor", **REAL},
        3,
        10,
        20,
    ),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one case of the pocket model; no results are written")
    parser.add_argument("--only", default="", help="cases whose name holds this text; no results are written")
    arguments = parser.parse_args()
    cases = [case for case in CASES if arguments.only in case.name][: 1 if arguments.quick else None]
    figures, rows = list[Figure](), dict[str, dict[str, str]]()
    by_name = {case.name: case for case in cases}
    jobs = [Job(name, 0) for name in by_name]
    for job, record in do_all(jobs, lambda job: asdict(examine(by_name[job.name])), FOLDER):
        case, found = by_name[job.name], Found(**record)
        rows[case.name] = {
            "pairs": str(found.num_pairs),
            "Spearman": f"{found.preconditioned:.3f}",
            "plain gradients": f"{found.plain:.3f}",
            "of the change explained": f"{found.slope:.2f}",
        }
        print(case.name, rows[case.name], flush=True)
        figures += [
            Figure(case.name, found.preconditioned, None, f"Spearman, {found.num_pairs} pairs").hold_against(">=", AIM),
            Figure(f"{case.name}, plain gradients", found.plain, None, "Spearman"),
        ]
    console = Console(width=140)
    console.print(text_table("predicted against actual change of log-probability", rows))
    print_aims(console, figures)
    if not arguments.quick and not arguments.only:
        print(f"written: {write_results('attribution', [0], figures)}")


@dataclass(frozen=True, slots=True)
class Found:
    """How predictions held against the step done again."""

    num_pairs: int
    preconditioned: float
    plain: float
    slope: float
    """Actual change for a predicted change of one nat, by least squares through zero."""


def examine(case: Case) -> Found:
    """Train, explain a step, and do it again without some rows."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {**case.settings, "output_dir": folder, "show_progress": False}
        run = finetune(case.policy, case.preset, **settings).folder
        (again,) = replay(run, [case.step])
        assert again.is_the_same, "the step came out otherwise"
        return compare(case, again)


def compare(case: Case, again: Replay) -> Found:
    step, answers = StepInfluences(again.trainer, again.examples), right_answers(again, case.num_answers)
    predicted_AR = step.influences(answers)
    chosen = choose(predicted_AR, case.num_rows)
    whole_A = torch.tensor(step.log_probs_without([], answers))
    actual_AR = torch.stack([whole_A - torch.tensor(step.log_probs_without([row], answers)) for row in chosen], dim=1)
    predicted_AR = predicted_AR[:, chosen]
    plain_AR = plain_products(step, answers, chosen)
    return Found(
        num_pairs=predicted_AR.numel(),
        preconditioned=spearman(predicted_AR.flatten().tolist(), actual_AR.flatten().tolist()),
        plain=spearman(plain_AR.flatten().tolist(), actual_AR.flatten().tolist()),
        slope=float((predicted_AR * actual_AR).sum() / predicted_AR.square().sum()),
    )


def right_answers(again: Replay, count: int) -> list[Example]:
    """Return held-out items with their right answers as the policy would write them."""
    task, policy = again.task, again.trainer.policy
    items = [item for item in task.items(task.eval_splits[0])[: 10 * count] if item.target is not None][:count]
    return [Example((item.prompt,), (policy.encode(str(item.target)),), "answer") for item in items]


def choose(predicted_AR: torch.Tensor, count: int) -> list[int]:
    """Return rows: half of them those that are predicted to do most, the others drawn at random."""
    order = predicted_AR.abs().mean(0).argsort(descending=True).tolist()
    named, others = order[: count // 2], order[count // 2 :]
    return [*named, *random.Random(0).sample(others, min(len(others), count - len(named)))]


def plain_products(step: StepInfluences, answers: list[Example], chosen: list[int]) -> torch.Tensor:
    """Return minus the products of the rows' and the answers' gradients, (A, R)."""
    wanted = [step.answer_gradient(answer) for answer in answers]
    columns = []
    for row in chosen:
        own = step.gradient([step.rows[row]])
        columns.append([-sum(float((one * two).sum()) for one, two in zip(each, own, strict=True)) for each in wanted])
    return torch.tensor(columns).T


if __name__ == "__main__":
    main()
