"""One curve of the hindsight benchmark: a policy learns by a method, and is looked at now and then."""

from __future__ import annotations

import copy
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from statistics import fmean
from typing import Any, NamedTuple

from backsight import finetune
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.reports.run_folder import RunReader
from backsight.tasks.base import Task

LOOKS = 20
"""Number of evaluations on the way."""
QUICK = 10
"""A quick run has a tenth of the attempts."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What came of one seed."""

    attempts: list[int]
    """Number of attempts sampled so far, those for hindsight included, at each look."""
    scores: list[float]
    """The greedy mean on the test split at each look."""
    seconds: float = 0.0
    extra: dict[str, float] = field(default_factory=dict)
    """Other figures at the end."""

    @property
    def final(self) -> float:
        return self.scores[-1]

    def first_at(self, level: float) -> int | None:
        """Return the attempts at the first look with such a score; None when there was none."""
        return next((n for n, score in zip(self.attempts, self.scores, strict=True) if score >= level), None)


class Row(NamedTuple):
    """What the benchmark runs with several seeds."""

    task: str
    size: str
    method: str
    run: Callable[[int, bool], Curve]
    """From a seed, and whether it is a quick run, to a curve."""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.task, self.size, self.method

    @property
    def slug(self) -> str:
        """The name in the files that keep what is done."""
        return re.sub(r"[^a-z0-9]+", "-", " ".join(self.key).lower())


def learn(
    policy: CausalLMPolicy,
    task: Task,
    method: Any,
    attempts: int,
    seed: int,
    *,
    score: str | None = "reward",
    metrics: Mapping[str, str] = {},
    at_the_end: Callable[[CausalLMPolicy], None] | None = None,
    **settings: Any,
) -> Curve:
    """Train a copy of the policy on the task for so many attempts; `method` and `settings` are those of `finetune`.

    `score` is the named reward that is drawn, of greedy answers to the test; None: the share of sampled attempts that
    succeeded since the last look. `metrics` are further figures, at the end and before (``NAME_before``): a name, and
    ``split/reward``. `at_the_end` sees the trained policy.
    """
    started = time.monotonic()
    settings = {"algorithm": "grpo", "prompts_per_step": 32, "num_generations": 8, "learning_rate": 1e-3} | settings
    attempts_per_step = settings["prompts_per_step"] * settings["num_generations"]
    settings.setdefault("eval_steps", max(1, -(-attempts // attempts_per_step) // LOOKS))
    with tempfile.TemporaryDirectory() as folder:
        result = finetune(
            copy.deepcopy(policy),
            task,
            hindsight=method,
            seed=seed,
            stop={"max_attempts": attempts},
            eval_items=256,
            logging_steps=1,
            output_dir=folder,
            show_progress=False,
            **_read_sampling(task),
            **settings,
        )
        reader = RunReader(result.folder)
        steps, evaluations = reader.metrics(), reader.evaluations()
    if score is None:
        looks = _measure_successes(steps, settings["eval_steps"])
    else:
        own = [row for row in evaluations if row["split"] == task.eval_splits[0]]
        looks = {row["step"]: row["scores"][score]["mean"] for row in own}
    # attempts before each step, and at the end
    sampled = [0, *accumulate(attempts_per_step + int(row.get("hindsight/extra_attempts", 0)) for row in steps)]
    if at_the_end is not None:
        at_the_end(result.policy)
    extra = {name: _read_score(result.after, place) for name, place in metrics.items()}
    extra |= {f"{name}_before": _read_score(result.before, place) for name, place in metrics.items()}
    extra["paused"] = float(any(row.get("teacher/paused", 0) for row in steps))
    return Curve([sampled[step] for step in looks], list(looks.values()), time.monotonic() - started, extra)


def warm_up(
    policy: CausalLMPolicy, task: Task, seed: int, *, steps: int, prompts_per_step: int, learning_rate: float = 1e-3
) -> CausalLMPolicy:
    """Return the policy after some steps of supervised fine-tuning: where the methods start from."""
    with tempfile.TemporaryDirectory() as folder:
        result = finetune(
            policy,
            task,
            hindsight="supervised",
            seed=seed,
            algorithm="reinforce",
            learning_rate=learning_rate,
            prompts_per_step=prompts_per_step,
            stop={"max_steps": steps},
            eval_items=64,
            output_dir=folder,
            show_progress=False,
            **_read_sampling(task),
        )
    return result.policy


def _read_sampling(task: Task) -> dict[str, int]:
    """Return the settings of sampling that a task of this benchmark brings."""
    sampling = getattr(task, "sampling", None)
    if sampling is None:
        return {}
    return {
        "max_completion_length": sampling.max_completion_length,
        "min_completion_length": sampling.min_completion_length,
    }


def _measure_successes(rows: list[dict[str, Any]], steps: int) -> dict[int, float]:
    """Return the share of attempts that succeeded in each `steps` steps, by the last one of them."""
    parts = [rows[start : start + steps] for start in range(0, len(rows), steps)]
    return {
        min((number + 1) * steps, len(rows)): fmean(row["success"] for row in part) for number, part in enumerate(parts)
    }


def _read_score(evaluation: Mapping[str, Any], place: str) -> float:
    split, _, name = place.rpartition("/")
    scores = evaluation[split]
    return float(scores.reward.mean if name == "reward" else scores.rewards[name].mean)
