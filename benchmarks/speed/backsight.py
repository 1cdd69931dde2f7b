"""Run a workload of the speed benchmark with backsight: `python -m benchmarks.speed.backsight JOB`."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median
from typing import Any

import backsight
from backsight.reports.run_folder import RunReader
from backsight.tasks.base import Item, PromptTask
from backsight.training.progress import draw_starts
from backsight.types import Feedback
from benchmarks.speed.children import Job, Measurement, measure_imported_gib, measure_peak_gib, report
from benchmarks.speed.workloads import Reward, draw_prompts

PROFILE = "time/"


class PromptsTask(PromptTask):
    """Prompts without an evaluation split, so laid out that the shuffled steps take them in the order given."""

    name = "speed"

    def __init__(self, texts: Sequence[str], seed: int) -> None:
        order = draw_starts(range(len(texts)), 0, len(texts), seed)
        placed = dict(zip(order, texts, strict=True))
        self._items = [Item(id=str(position), prompt=placed[position]) for position in range(len(texts))]

    def items(self, split: str) -> Sequence[Item]:
        return self._items

    def judge(self, item: Item, completion: str) -> Feedback:
        return Feedback()


def make_settings(job: Job) -> dict[str, Any]:
    """Make what `backsight.finetune` is told; everything else is its default."""
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
        "adapter": None if workload.lora_rank is None else {"r": workload.lora_rank},
    }
    return settings if job.device == "cpu" else {**settings, "bf16": True}


def run(job: Job) -> Measurement:
    """Train for the steps of the job and read the run folder."""
    imported = measure_imported_gib()
    texts = draw_prompts(job.workload, job.steps, job.seed)
    task, reward = PromptsTask(texts, job.seed), Reward(job.workload, texts)
    result = backsight.finetune(job.model, task, reward_funcs=reward, show_progress=False, **make_settings(job))
    reader = RunReader(result.folder)
    rows = reader.metrics()
    peak = measure_peak_gib(job.device)
    return Measurement(
        step_times=[row["step_time"] for row in rows],
        tokens=reward.tokens / job.steps,
        without_signal=fmean(row["frac_reward_zero_std"] for row in rows),
        peak_gib=peak,
        added_gib=peak - imported if job.device == "cpu" else peak,
        startup=reader.config.stat().st_mtime - job.started,  # the configuration is written just before the first step
        profile={
            key.removeprefix(PROFILE): median(row[key] for row in rows[1:] or rows)
            for key in rows[-1]
            if key.startswith(PROFILE)
        },
    )


if __name__ == "__main__":
    report(run(Job.from_arguments()))
