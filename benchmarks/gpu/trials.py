"""Try once what only a GPU has: `python -m benchmarks.gpu.trials JOB`.

Each trial trains for three steps, in which every loss has to be finite and the sampler has to see the same policy as
the learner. That of the CUDA graph also decodes the same prompts with the graph and without it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from itertools import islice

import torch

from backsight.policies.causal_lm import CausalLMPolicy
from backsight.rollouts.decoding.captured import CapturedStep
from backsight.rollouts.decoding.causal_lm import CausalLMEngine
from backsight.rollouts.decoding.step import DecodeStep, LeanStep, decode_step
from backsight.tasks.instructions.task import InstructionsTask
from backsight.training.agreement import BOUNDS
from backsight.types import Action, Observation, Sampling
from benchmarks.gpu.jobs import Job
from benchmarks.gpu.runs import run_preset
from benchmarks.shared.results import Figure

STEPS = {"stop": {"max_steps": 3}, "eval_items": 4}
PROMPTS = 64
"""Number of prompts that are decoded with the graph and without it."""
EQUAL = 0.9
"""Least share of answers that have to be the same: attending to columns without a token changes the rounding."""


class WithGraph(CausalLMEngine):
    """An engine that replays one recorded step for every token; on a CPU the step is run again."""

    @cached_property
    def _step(self) -> DecodeStep:
        return CapturedStep(decode_step(self.policy.model))


class WithoutGraph(CausalLMEngine):
    """An engine that starts every kernel of every token."""

    @cached_property
    def _step(self) -> DecodeStep:
        return decode_step(self.policy.model)


def try_qlora(job: Job) -> None:
    """Train an adapter beside weights in four bits; in the rehearsal, beside weights as they are."""
    if not job.rehearses and find_spec("bitsandbytes") is None:
        return job.report([], "bitsandbytes is not installed")
    adapter = {"name": "lora", "quantize": not job.rehearses}
    run = run_preset(job, {**STEPS, "adapter": adapter, "learning_rate": 1e-3})
    job.report([*run.sound_figures(BOUNDS[torch.bfloat16]), *run.cost_figures()])


def try_bf16(job: Job) -> None:
    """Train with weights in bfloat16 and a float32 master copy."""
    run = run_preset(job, {**STEPS, "bf16": True})
    job.report([*run.sound_figures(BOUNDS[torch.bfloat16]), *run.cost_figures()])


def try_graph(job: Job) -> None:
    """Train in float32, which decodes by the graph on a GPU, and compare decoding with the graph and without it."""
    run = run_preset(job, STEPS)
    policy = run.result.policy
    assert isinstance(policy, CausalLMPolicy)
    if not isinstance(decode_step(policy.model), LeanStep):
        raise RuntimeError("the model is not decoded by the lean step, which alone is recorded as a graph")
    figures = [*run.sound_figures(BOUNDS[torch.float32]), *run.cost_figures(), *compare_decoding(job, policy)]
    job.report(figures)


def compare_decoding(job: Job, policy: CausalLMPolicy) -> list[Figure]:
    """Answer the same prompts greedily with the graph and without it."""
    count, length = (4, 16) if job.rehearses else (PROMPTS, 64)
    prompts = [item.prompt for item in islice(InstructionsTask().items("in_domain"), count)]
    sampling = Sampling(temperature=0.0, max_completion_length=length)
    answers, figures = [], []
    for name, kind in {"with the graph": WithGraph, "without the graph": WithoutGraph}.items():
        engine = kind(policy, policy.profile)
        decode(engine, prompts, sampling)  # libraries set themselves up
        own, rate = decode(engine, prompts, sampling)
        answers.append(own)
        figures.append(Figure(f"{job.name}: {name}", rate, None, "tokens a second"))
    equal = sum(one.value == other.value for one, other in zip(*answers, strict=True)) / count
    return [*figures, Figure(f"{job.name}: the same answers", equal, None, "of 1").hold_against(">=", EQUAL)]


def decode(engine: CausalLMEngine, prompts: Sequence[Observation], sampling: Sampling) -> tuple[list[Action], float]:
    """Answer the prompts; return the answers in their order, and tokens a second."""
    started = time.perf_counter()
    done = dict(engine.act(prompts, sampling, seeds=range(len(prompts))))
    answers = [done[index] for index in range(len(prompts))]
    return answers, sum(len(each.log_probs) for each in answers) / (time.perf_counter() - started)


TRIALS: Mapping[str, Callable[[Job], None]] = {"QLoRA": try_qlora, "bf16": try_bf16, "CUDA graph": try_graph}

if __name__ == "__main__":
    job = Job.from_arguments()
    TRIALS[job.name](job)
