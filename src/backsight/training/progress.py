"""How far a run has come: what stop conditions, schedules and checkpoints look at."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from backsight.training.config import StopConfig, TrainingConfig


@dataclass(slots=True)
class Progress:
    """Counts since the start of the run, over all resumptions."""

    step: int = 0
    attempts: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Of training; evaluations are not counted."""
    scores: list[float] = field(default_factory=list)
    """Of the first evaluation split, one an evaluation."""
    teacher_trials: list[list[float]] = field(default_factory=list)
    """What the teacher earned, and the policy at the same starts, one pair a trial."""
    is_interrupted: bool = False


def stop_reason(stop: StopConfig, progress: Progress) -> str | None:
    """Why the run is over, in words; None while it is not."""
    if progress.is_interrupted:
        return "interrupted"
    for name, used, limit in _budgets(stop, progress):
        if used >= limit:
            return f"{name}={limit:g} reached"
    if stop.target is not None and progress.scores and progress.scores[-1] >= stop.target:
        return f"target={stop.target:g} reached"
    if stop.patience is not None and _evaluations_since_best(progress.scores) >= stop.patience:
        return f"plateau: no better score in {stop.patience} evaluations"
    return None


def used_share(stop: StopConfig, progress: Progress) -> float:
    """The share of the budget that is used up, by the limit that is nearest; 0 when nothing is limited."""
    return min(1.0, max((used / limit if limit else 1.0 for _, used, limit in _budgets(stop, progress)), default=0.0))


def learning_rate(config: TrainingConfig, progress: Progress) -> float:
    """The rate of the next update: a linear warm-up, then constant or falling to 0 with the share of the budget."""
    share = used_share(config.stop, progress)
    falling = {"constant": 1.0, "linear": 1 - share, "cosine": 0.5 * (1 + math.cos(math.pi * share))}
    rising = min(1.0, (progress.step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    return config.learning_rate * rising * falling[config.lr_scheduler_type]


def _budgets(stop: StopConfig, progress: Progress) -> list[tuple[str, float, float]]:
    budgets = [
        ("max_steps", progress.step, stop.max_steps),
        ("max_attempts", progress.attempts, stop.max_attempts),
        ("max_tokens", progress.tokens, stop.max_tokens),
        ("max_seconds", progress.seconds, stop.max_seconds),
    ]
    return [(name, used, limit) for name, used, limit in budgets if limit is not None]


def _evaluations_since_best(scores: list[float]) -> int:
    return len(scores) - 1 - scores.index(max(scores)) if scores else 0
