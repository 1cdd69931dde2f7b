"""Run a workload of the speed benchmark with TRL's GRPOTrainer: `python -m benchmarks.speed.trl JOB`.

The settings are those that make its step the same as backsight's: all attempts of a step are sampled together and
learnt from in one optimizer step. On a CPU, gradient checkpointing is off, which is the faster setting; on an
accelerator it stays on, which is TRL's default, for without it the larger model does not fit.
"""

from __future__ import annotations

import time
from itertools import pairwise
from statistics import fmean
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import PrinterCallback, TrainerCallback
from transformers.utils.logging import disable_progress_bar
from trl import GRPOConfig, GRPOTrainer

from benchmarks.speed.children import Job, Measurement, measure_imported_gib, measure_peak_gib, report
from benchmarks.speed.workloads import Reward, draw_prompts


class Clock(TrainerCallback):
    """Notes when steps end; what lies between two ends holds the sampling as well as the update."""

    def __init__(self) -> None:
        self.begun = 0.0
        self.ends: list[float] = []

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.begun = time.time()
        self.ends.append(time.perf_counter())

    def on_step_end(self, *_: Any, **__: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())


def make_config(job: Job) -> GRPOConfig:
    """Make what TRL's trainer is told."""
    workload, on_cpu = job.workload, job.device == "cpu"
    return GRPOConfig(
        output_dir=f"{job.folder}/trl",
        max_steps=job.steps,
        shuffle_dataset=False,
        per_device_train_batch_size=workload.attempts,
        gradient_accumulation_steps=1,
        num_generations=workload.num_generations,
        max_completion_length=workload.max_completion_length,
        num_iterations=1,
        loss_type="grpo",
        beta=0.0,
        temperature=1.0,
        learning_rate=1e-6,
        use_cpu=on_cpu,
        bf16=not on_cpu,
        gradient_checkpointing=not on_cpu,
        model_init_kwargs={"dtype": "float32"},
        seed=job.seed,
        logging_steps=1,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )


def make_adapter(job: Job) -> LoraConfig | None:
    """Make the adapter of the job as backsight does, if it has one."""
    if job.workload.lora_rank is None:
        return None
    return LoraConfig(r=job.workload.lora_rank, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")


def run(job: Job) -> Measurement:
    """Train for the steps of the job."""
    disable_progress_bar()
    imported = measure_imported_gib()
    texts = draw_prompts(job.workload, job.steps, job.seed)
    clock, reward = Clock(), Reward(job.workload, texts)
    trainer = GRPOTrainer(
        model=job.model,
        reward_funcs=reward,
        args=make_config(job),
        train_dataset=Dataset.from_dict({"prompt": texts}),
        callbacks=[clock],
        peft_config=make_adapter(job),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    rows = [row for row in trainer.state.log_history if "frac_reward_zero_std" in row]
    peak = measure_peak_gib(job.device)
    return Measurement(
        step_times=[end - start for start, end in pairwise(clock.ends)],
        tokens=reward.tokens / job.steps,
        without_signal=fmean(row["frac_reward_zero_std"] for row in rows),
        peak_gib=peak,
        added_gib=peak - imported if job.device == "cpu" else peak,
        startup=clock.begun - job.started,
    )


if __name__ == "__main__":
    report(run(Job.from_arguments()))
