"""The request of a comparison (methods, seeds and settings), checked before anything is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from backsight.cluster.options import check_not_placed
from backsight.comparison.runner import Job
from backsight.config import RunConfig, change_config
from backsight.errors import ConfigError, nearest
from backsight.hindsight.catalogue import METHODS
from backsight.policies.text import TextPolicy
from backsight.tasks.base import Task, draw_items

CONTROL = "outcome"
ALIASES = {"sft": "supervised"}
CURVE_POINTS = 8
"""Number of evaluations of a run whose steps can be counted beforehand, unless `eval_steps` is set."""
CURVE_STEPS = 20
"""Steps between two evaluations of a run whose steps cannot be counted beforehand, unless `eval_steps` is set."""
COUNTED_ANSWERS = 200
"""Number of gold answers whose mean length converts a budget of tokens into steps."""


@dataclass(frozen=True, slots=True)
class Request:
    """The methods to compare, with the settings that all share."""

    shared: RunConfig
    """Settings of all methods. `output_dir` is where the folder of the comparison is made, `run_name` its name, `seed`
    the first seed."""
    methods: Mapping[str, RunConfig]
    """Settings of each method, by its label."""
    tasks: Mapping[str, Task]
    """Task of each method, by its label: what a task reveals may depend on the method."""
    seeds: int
    general_text: Path | None

    @property
    def control(self) -> str:
        """Label of the method that the others are compared with: `outcome` if it takes part, else the first."""
        return CONTROL if CONTROL in self.methods else next(iter(self.methods))

    @property
    def rows_per_step(self) -> int:
        """Attempts in a step. A method that samples nothing learns from as many gold answers, or from one for each
        prompt if no method samples.
        """
        config = self.shared
        some_sample = any(each.hindsight.learns_from_attempts for each in self.methods.values())
        return config.prompts_per_step * (config.num_generations if some_sample else 1)

    @property
    def unit(self) -> str:
        """The unit of the budget: attempts, tokens or seconds, the first of them that is limited; else steps."""
        stop = self.shared.stop
        limits = {"attempts": stop.max_attempts, "tokens": stop.max_tokens, "seconds": stop.max_seconds}
        return next((name for name, limit in limits.items() if limit is not None), "steps")

    def as_dict(self) -> dict[str, Any]:
        """Return the request in plain values: all that has to be the same when a comparison is continued."""
        return {
            "methods": [config.hindsight.model_dump(mode="json") for config in self.methods.values()],
            "seeds": self.seeds,
            "general_text": None if self.general_text is None else str(self.general_text),
            "settings": self.shared.model_dump(mode="json", exclude={"hindsight", "run_name", "output_dir"}),
        }

    def run_config(self, job: Job, folder: Path, policy: TextPolicy) -> RunConfig:
        """Return the settings of one run; `policy` counts the tokens of gold answers."""
        config = self.methods[job.name]
        own: dict[str, Any] = {"output_dir": str(folder), "run_name": job.slug, "seed": job.seed}
        if not config.hindsight.learns_from_attempts:
            own |= {"prompts_per_step": self.rows_per_step, "stop": self._gold_budget(job.name, policy)}
        changed = change_config(config, {**own, "logging_steps": 1})
        return changed if changed.eval_steps else change_config(changed, {"eval_steps": self._curve_steps(changed)})

    def _gold_budget(self, method: str, policy: TextPolicy) -> dict[str, int | None]:
        """Return the budget in steps, for a method that samples no attempts or tokens that could be counted."""
        stop, rows = self.shared.stop, self.rows_per_step
        limits = [] if stop.max_steps is None else [stop.max_steps]
        if stop.max_attempts is not None:
            limits.append(math.ceil(stop.max_attempts / rows))
        if stop.max_tokens is not None:
            limits.append(math.ceil(stop.max_tokens / (rows * self._answer_tokens(method, policy))))
        return {"max_steps": min(limits, default=None), "max_attempts": None, "max_tokens": None}

    def _answer_tokens(self, method: str, policy: TextPolicy) -> float:
        """Return the mean number of tokens of a gold answer."""
        task = self.tasks[method]
        counted = draw_items(task.items(task.train_split), COUNTED_ANSWERS)
        answers = [item.target for item in counted if item.target is not None]
        if not answers:
            remedy = f"{method} samples nothing and there are no gold answers to count; give a budget of attempts"
            raise ConfigError("stop.max_tokens", self.shared.stop.max_tokens, remedy)
        return fmean(len(policy.encode(answer)) for answer in answers)

    def _curve_steps(self, config: RunConfig) -> int:
        stop = config.stop
        limits = [] if stop.max_steps is None else [stop.max_steps]
        if stop.max_attempts is not None:
            limits.append(math.ceil(stop.max_attempts / self.rows_per_step))
        return max(1, min(limits) // CURVE_POINTS) if limits else CURVE_STEPS


def make_request(
    config: RunConfig,
    build_task: Callable[[RunConfig], Task],
    methods: Sequence[Any],
    seeds: int,
    general_text: Path | None = None,
) -> Request:
    """Make and check the request of a comparison. `methods` are names, or other values of the setting `hindsight`.

    Raises:
        BacksightError: when a method is unknown, named twice or does not fit the settings, or an argument is out of
            range.
    """
    check_not_placed(config.cluster, "a comparison")
    if seeds < 1:
        raise ConfigError("seeds", seeds, "has to be at least 1")
    if not methods:
        raise ConfigError("methods", "none", "name at least one, better two: outcome,relabel")
    configs: dict[str, RunConfig] = {}
    for method in methods:
        own = change_config(config, {"hindsight": _known(method)})
        name = own.hindsight.label
        if name in configs:
            raise ConfigError("methods", name, "is named twice; name it once")
        own.hindsight.build()  # raises what is wrong with its options
        configs[name] = own
    tasks = {name: build_task(own) for name, own in configs.items()}
    return Request(config, configs, tasks, seeds, general_text)


def _known(method: Any) -> Any:
    if not isinstance(method, str):
        return method
    known = [*METHODS.names(), *ALIASES]
    if method not in known:
        raise ConfigError("methods", method, f"unknown; {nearest(method, known)}")
    return ALIASES.get(method, method)
