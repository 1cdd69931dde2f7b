"""How fast a step could be: the arithmetic it cannot do without, and how fast this machine multiplies matrices.

    python benchmarks/speed_limit.py JOB

The rates are measured at the model's own shapes: with as many rows as are decoded together, and with as many as are
learnt from together.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from speed_children import Job, report
from speed_workloads import Shape, Workload

LEARNING_ROWS = 2048
SECONDS = 1.0
"""Time that one rate is measured for."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Floating-point operations of one step."""

    prefill: float
    """Each prompt once: siblings share it."""
    decode: float
    learn: float
    """Forward and backward, prompts once again, and only where there is something to learn."""

    @property
    def total(self) -> float:
        return self.prefill + self.decode + self.learn

    def seconds(self, rates: Mapping[str, float]) -> float:
        """The least time of a step, at the measured rates."""
        return self.decode / rates["decode"] + (self.prefill + self.learn) / rates["learn"]


def arithmetic(workload: Workload, tokens: float) -> Arithmetic:
    """Of a step with so many completion tokens: 2 operations a weight and token forward, 4 backward, and attention."""
    shape, prompt = workload.shape, workload.prompt_length
    prompt_tokens = prompt * workload.prompts_per_step
    mean_length = tokens / workload.attempts
    prefill = 2 * shape.body * prompt_tokens + _attention(shape, prompt_tokens, prompt / 2)
    decode = 2 * (shape.body + shape.head) * tokens + _attention(shape, tokens, prompt + mean_length / 2)
    return Arithmetic(prefill, decode, 3 * (1 - workload.constant_share) * (prefill + decode))


def _attention(shape: Shape, tokens: float, seen: float) -> float:
    """Scores and weighted sums, where each token sees so many on average."""
    return 4 * tokens * seen * shape.num_attention_heads * shape.head_dim * shape.num_hidden_layers


def matrix_rate(shape: Shape, rows: int, device: str) -> float:
    """Operations a second of all matrices of the model in turn, at the best of several passes."""
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


def rates(job: Job) -> dict[str, float]:
    """For decoding and for learning."""
    rows = {"decode": job.workload.attempts, "learn": LEARNING_ROWS}
    return {name: matrix_rate(job.workload.shape, count, job.device) for name, count in rows.items()}


if __name__ == "__main__":
    report(rates(Job.from_arguments()))
