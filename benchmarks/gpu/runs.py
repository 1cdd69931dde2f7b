"""Runs of the preset `instructions`, and what they tell of time, memory and soundness."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from backsight.presets.base import configure
from backsight.reports.run_folder import Row, RunReader
from backsight.runs.finetune import Result, train
from backsight.runs.start import begin
from backsight.tasks.instructions.task import InstructionsTask
from backsight.training.agreement import LARGEST, MEAN, Bound
from benchmarks.gpu.jobs import Job
from benchmarks.shared.results import Figure

Reward = Literal["success", "constraints"]

ON_GPU: Mapping[str, Any] = {"micro_batch_size": 16_384}
"""What fits the memory of a GPU, and changes no result."""
REHEARSAL: Mapping[str, Any] = {
    "max_completion_length": 16,
    "prompts_per_step": 2,
    "num_generations": 4,
    "eval_items": 4,
}


@dataclass(frozen=True, slots=True)
class Run:
    """A run and the metrics of its steps."""

    name: str
    result: Result
    steps: Sequence[Row]

    def cost_figures(self) -> list[Figure]:
        """Return time, speed and memory of a step; the first one, in which libraries set themselves up, left out."""
        later = self.steps[1:] or self.steps
        times = [step["step_time"] for step in later]
        decoded = [step["tokens_per_second/decode"] for step in later]
        peak = max(step["memory/peak_gib"] for step in self.steps)
        return [
            Figure(f"{self.name}: step", median(times), (min(times), max(times)), "seconds"),
            Figure(f"{self.name}: decoding", median(decoded), (min(decoded), max(decoded)), "tokens a second"),
            Figure(f"{self.name}: peak memory", peak, None, "GiB"),
        ]

    def sound_figures(self, bound: Bound) -> list[Figure]:
        """Return how many steps were taken, with loss and gradient finite, and how far sampler and learner differed."""
        taken = sum("frac_steps_skipped" not in step and "grad_norm" in step for step in self.steps)
        largest, mean = (max(step[name] for step in self.steps) for name in (LARGEST, MEAN))
        return [
            Figure(f"{self.name}: steps with a finite loss", taken, None, "steps").hold_against(">=", len(self.steps)),
            Figure(f"{self.name}: largest difference", largest, None, "nats a token").hold_against("<=", bound.largest),
            Figure(f"{self.name}: mean difference", mean, None, "nats a token").hold_against("<=", bound.mean),
        ]


def run_preset(job: Job, settings: Mapping[str, Any], reward: Reward = "success") -> Run:
    """Train the model of a job with the settings of the preset and some others.

    Raises:
        RuntimeError: when it was not trained where the job belongs.
    """
    own = {**(REHEARSAL if job.rehearses else ON_GPU), **settings, "policy": job.model}
    with tempfile.TemporaryDirectory() as folder:
        config, _ = configure("instructions", {**own, "output_dir": folder})
        result = train(begin(config, InstructionsTask(reward=reward)), show_progress=False)
        steps = RunReader(result.folder).metrics()
    device = result.policy.model.device.type
    if device != ("cpu" if job.rehearses else "cuda"):
        raise RuntimeError(f"the model was trained on the device {device!r}")
    return Run(job.name, result, steps)
