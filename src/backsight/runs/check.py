"""Checks before any training: gold answers, prompts, and whether sampler and learner agree."""

from __future__ import annotations

from backsight.config import RunConfig
from backsight.evaluation.agreement import sampler_learner_difference
from backsight.runs.start import begin
from backsight.tasks.base import Task


def check(config: RunConfig, task: Task) -> list[tuple[str, str]]:
    """Run all checks, and return the name and outcome of each. A check that fails raises.

    Raises:
        DataError: when a gold answer does not get full marks, or a prompt is too long.
        ModelError: when sampler and learner disagree about the probability of what was sampled.
    """
    parts = begin(config, task)
    task = parts.task
    graded = {split: task.validate(split) for split in (task.train_split, *task.eval_splits)}
    largest = sampler_learner_difference(parts.policy, parts.engine, task, config)
    return [
        *((f"gold answers of {split}", f"{count} score full marks") for split, count in graded.items()),
        ("prompts", parts.message or f"leave room for {config.max_completion_length} tokens"),
        ("sampler and learner", f"log-probabilities differ by at most {largest:.1e}"),
    ]
