"""The progress of a run, and what follows from it: stop conditions, learning rates, the starts of a step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch

from backsight.errors import DataError
from backsight.seeds import derive_seed
from backsight.training.config import StopConfig, TrainingConfig

INTERRUPTED = "interrupted"
"""Why a run is over that somebody stopped."""


@dataclass(slots=True)
class Progress:
    """Counts since the start of the run, over all resumptions."""

    step: int = 0
    attempts: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Wall-clock seconds of training; evaluations are not counted."""
    scores: list[float] = field(default_factory=list)
    """Score on the first evaluation split, one an evaluation."""
    best_step: int = 0
    """Step after which the policy had its best score, with `keep_best`."""
    best_score: float | None = None
    """The best score; None as long as there was no evaluation."""
    num_resampled: int = 0
    """Number of starts that were tried in place of others which taught nothing."""
    teacher_trials: list[list[float]] = field(default_factory=list)
    """Mean rewards of the teacher and of the policy at the same starts, one pair a trial."""
    broken_steps: int = 0
    """Number of newest steps in a row that were not finite, and were not taken or undone."""
    told: list[str] = field(default_factory=list)
    """Topics of the messages that the user was told and that are still true."""
    base_log_probs: list[float] | None = None
    """Log-probabilities of a log's recorded turns before training; None if there are not two kinds to compare."""
    origin: dict[str, str] = field(default_factory=dict)
    """Checksums of what the run is made of by name: settings, data, model and code."""
    is_interrupted: bool = False


def stop_reason(stop: StopConfig, progress: Progress) -> str | None:
    """Return why the run is over, in words; None while it is not."""
    if progress.is_interrupted:
        return INTERRUPTED
    for name, used, limit in _budgets(stop, progress):
        if used >= limit:
            return f"{name}={limit:g} reached"
    if stop.target is not None and progress.scores and progress.scores[-1] >= stop.target:
        return f"target={stop.target:g} reached"
    if stop.patience is not None and _evaluations_since_best(progress.scores) >= stop.patience:
        return f"plateau: no better score in {stop.patience} evaluations"
    return None


def is_spent(stop: StopConfig, step: int, attempts: int) -> bool:
    """Return whether a run is over before this step, with so many attempts, by what is known of it beforehand."""
    steps_left = stop.max_steps is None or step < stop.max_steps
    attempts_left = stop.max_attempts is None or attempts < stop.max_attempts
    return not (steps_left and attempts_left)


def count_starts(config: TrainingConfig, attempts: int, num_generations: int) -> int:
    """Return the number of starts of a step, with so many attempts before it; the last step may be a short one."""
    if config.stop.max_attempts is None:
        return config.prompts_per_step
    attempts_left = config.stop.max_attempts - attempts
    return min(config.prompts_per_step, max(1, math.ceil(attempts_left / max(1, num_generations))))


def used_share(stop: StopConfig, progress: Progress) -> float:
    """Return the share of the budget that is used up, by the limit that is nearest; 0 when nothing is limited."""
    return min(1.0, max((used / limit if limit else 1.0 for _, used, limit in _budgets(stop, progress)), default=0.0))


def learning_rate(config: TrainingConfig, progress: Progress) -> float:
    """Return the rate of the next update.

    It rises in a linear warm-up, and then is constant or falls to 0 with the share of the budget that is used.
    """
    share = used_share(config.stop, progress)
    falling = {"constant": 1.0, "linear": 1 - share, "cosine": 0.5 * (1 + math.cos(math.pi * share))}
    rising = min(1.0, (progress.step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    return config.learning_rate * rising * falling[config.lr_scheduler_type]


def draw_starts(starts: Sequence[Any], first: int, count: int, seed: int) -> list[Any]:
    """Return `count` starts after the `first` ones that were drawn, a function of its arguments alone.

    The data is passed over in a shuffled order: each pass takes every start once before any comes again.

    Raises:
        DataError: when there are no starts.
    """
    if not len(starts):
        raise DataError("train", "0 items", "the training split is empty; give it some rows")
    positions = range(first, first + count)
    return [starts[_pass(len(starts), position // len(starts), seed)[position % len(starts)]] for position in positions]


@lru_cache(maxsize=2)
def _pass(length: int, number: int, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(derive_seed(seed, "order", number))
    order: list[int] = torch.randperm(length, generator=generator).tolist()
    return order


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
