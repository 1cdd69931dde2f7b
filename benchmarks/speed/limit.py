"""How fast a step could be: the arithmetic it cannot do without, and how fast this machine multiplies matrices.

    python -m benchmarks.speed.limit JOB

The rates are measured at the model's own shapes: with as many rows as are decoded together, and with as many as are
learnt from together.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.speed.children import Job, report
from benchmarks.speed.workloads import Shape, Workload

LEARNING_ROWS = 2048
SECONDS = 1.0
"""Time that one rate is measured for."""


@dataclass(frozen=True, slots=True)
class Operations:
    """Numbers of floating-point operations in one step."""

    prefill: float
    """Operations of reading each prompt once: siblings share it."""
    decode: float
    """Operations of sampling the completions."""
    learn: float
    """Operations forward and backward, prompts once again, and only where there is something to learn."""

    @property
    def total(self) -> float:
        return self.prefill + self.decode + self.learn

    def least_seconds(self, rates: Mapping[str, float]) -> float:
        """Return the least time of a step at the measured rates."""
        return self.decode / rates["decode"] + (self.prefill + self.learn) / rates["learn"]


def count_operations(workload: Workload, tokens: float) -> Operations:
    """Count the operations of a step with so many completion tokens.

    They are 2 a weight and token forward and 4 backward, or 2 with an adapter, whose base has no gradients of its own,
    and those of attention.
    """
    shape, prompt = workload.shape, workload.prompt_length
    prompt_tokens = prompt * workload.prompts_per_step
    mean_length = tokens / workload.attempts
    prefill = 2 * shape.body * prompt_tokens + _count_attention(shape, prompt_tokens, prompt / 2)
    decode = 2 * (shape.body + shape.head) * tokens + _count_attention(shape, tokens, prompt + mean_length / 2)
    passes = (3 if workload.lora_rank is None else 2) * (1 - workload.constant_share)
    return Operations(prefill, decode, passes * (prefill + decode))


def _count_attention(shape: Shape, tokens: float, seen: float) -> float:
    """Count scores and weighted sums, where each token sees so many on average."""
    return 4 * tokens * seen * shape.num_attention_heads * shape.head_dim * shape.num_hidden_layers


def measure_matrix_rate(shape: Shape, rows: int, device: str) -> float:
    """Measure the operations a second of all matrices of the model in turn, at the best of several passes."""
    import torch

    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    sizes = [*shape.matrices * shape.num_hidden_layers, (shape.hidden_size, shape.vocab_size)]
    weights = [torch.randn(outputs, inputs, device=device, dtype=dtype) for inputs, outputs in sizes]
    batches = {inputs: torch.randn(rows, inputs, device=device, dtype=dtype) for inputs, _ in sizes}
    best, began = float("inf"), time.perf_counter()
    with torch.inference_mode():
        while time.perf_counter() < began + SECONDS:
            started = time.perf_counter()
            for weight in weights:
                torch.nn.functional.linear(batches[weight.shape[1]], weight)
            if device != "cpu":
                torch.cuda.synchronize()
            best = min(best, time.perf_counter() - started)
    return 2 * rows * (shape.body + shape.head) / best


def measure_rates(job: Job) -> dict[str, float]:
    """Measure the rate for decoding and the one for learning."""
    rows = {"decode": job.workload.attempts, "learn": LEARNING_ROWS}
    return {name: measure_matrix_rate(job.workload.shape, count, job.device) for name, count in rows.items()}


if __name__ == "__main__":
    report(measure_rates(Job.from_arguments()))
