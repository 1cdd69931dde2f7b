"""Train on the preset `instructions`, with hindsight or without it: `python -m benchmarks.gpu.training JOB`.

All methods have the settings of the preset, and see the same prompts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from backsight.evaluation.evaluator import Evaluation
from benchmarks.gpu.jobs import Job
from benchmarks.gpu.runs import Reward, run_preset
from benchmarks.shared.results import Figure


class Method(NamedTuple):
    """What a method learns from."""

    settings: Mapping[str, Any]
    """Settings that differ from the preset's."""
    reward: Reward = "success"


HINDSIGHT, BEFORE = "with hindsight", "before"
METHODS: Mapping[str, Method] = {
    HINDSIGHT: Method({}),
    "plain RL, all or nothing": Method({"hindsight": "outcome"}),
    "plain RL, share of constraints": Method({"hindsight": "outcome"}, "constraints"),
}
DEMO_ATTEMPTS, TIMES = 448, 20
ATTEMPTS = TIMES * DEMO_ATTEMPTS
"""20 times the attempts of `make demo`."""
AROUND = 45.0
"""Seconds of a part that are not for training: its start, and the evaluations before and after."""
MEASURES = {
    "success": "success",
    "constraints": "share of constraints",
    "words": "words",
    "unrepeated": "share of different pairs of words",
    "plain": "share without marks that were not asked for",
}
"""What is reported of a split, with its unit: the score, and what shows whether it is earned honestly."""


def attempts_row(name: str) -> str:
    """Return the name of the row with the number of attempts of a method."""
    return f"{name}: attempts"


def main(job: Job) -> None:
    method = METHODS[job.name]
    budget = {"max_attempts": job.attempts, "max_seconds": job.seconds - AROUND}
    run = run_preset(job, {**method.settings, "stop": budget}, method.reward)
    result = run.result
    figures = [Figure(attempts_row(job.name), result.progress.attempts, None, "attempts")]
    if job.name == HINDSIGHT:  # the model before is the same for all
        figures += score_figures(BEFORE, result.before)
    job.report([*figures, *score_figures(job.name, result.after), *run.cost_figures()], result.stop_reason)


def score_figures(name: str, evaluation: Evaluation) -> Iterator[Figure]:
    """Yield the scores of every split with their intervals."""
    for split, scores in evaluation.items():
        for measure, unit in MEASURES.items():
            yield Figure.of_estimate(f"{name}: {split}, {measure}", scores.rewards[measure], unit)


if __name__ == "__main__":
    main(Job.from_arguments())
