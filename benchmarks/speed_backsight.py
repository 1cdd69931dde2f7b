"""Run a workload of the speed benchmark with backsight: `python benchmarks/speed_backsight.py JOB`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from speed_children import Job, Measurement, imported_gib, peak_gib, report
from speed_workloads import Reward, prompts

import backsight
from backsight.reports.reader import RunReader
from backsight.tasks.base import Item, Task
from backsight.training.order import starts_of_step
from backsight.types import Feedback

PROFILE = "time/"


class PromptsTask(Task):
    """Prompts without an evaluation split, so laid out that the shuffled steps take them in the order given."""

    name = "speed"

    def __init__(self, texts: Sequence[str], seed: int) -> None:
        order = starts_of_step(range(len(texts)), len(texts), 0, seed)
        placed = dict(zip(order, texts, strict=True))
        self._items = [Item(id=str(position), prompt=placed[position]) for position in range(len(texts))]

    def items(self, split: str) -> Sequence[Item]:
        return self._items

    def judge(self, item: Item, completion: str) -> Feedback:
        return Feedback()


def settings_of(job: Job) -> dict[str, Any]:
    """What `backsight.finetune` is told; everything else is its default."""
    workload = job.workload
    settings = {
        "hindsight": "outcome",
        "algorithm": "grpo" if workload.num_generations > 1 else "reinforce",
        "num_generations": workload.num_generations,
        "prompts_per_step": workload.prompts_per_step,
        "max_completion_length": workload.max_completion_length,
        "learning_rate": 1e-6,
        "stop": {"max_steps": job.steps},
        "seed": job.seed,
        "output_dir": f"{job.folder}/runs",
    }
    return settings if job.device == "cpu" else {**settings, "bf16": True}


def run(job: Job) -> Measurement:
    """Train for the steps of the job and read the run folder."""
    imported = imported_gib()
    texts = prompts(job.workload, job.steps, job.seed)
    task, reward = PromptsTask(texts, job.seed), Reward(job.workload, texts)
    result = backsight.finetune(job.model, task, reward_funcs=reward, show_progress=False, **settings_of(job))
    rows = RunReader(result.folder).metrics()
    peak = peak_gib(job.device)
    return Measurement(
        step_times=[row["step_time"] for row in rows],
        tokens=reward.tokens / job.steps,
        without_signal=fmean(row["frac_reward_zero_std"] for row in rows),
        peak_gib=peak,
        added_gib=peak - imported if job.device == "cpu" else peak,
        startup=begun(result.folder) - job.started,
        profile={
            key.removeprefix(PROFILE): median(row[key] for row in rows[1:] or rows)
            for key in rows[-1]
            if key.startswith(PROFILE)
        },
    )


def begun(folder: Path) -> float:
    """When the first step began: the configuration is written just before."""
    return RunReader(folder).config.stat().st_mtime


if __name__ == "__main__":
    report(run(Job.from_arguments()))
