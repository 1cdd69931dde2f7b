"""What larger models take on GPUs, by the planner's arithmetic alone: the tables of docs/scale.md. Nothing is measured.

    python benchmarks/scale/arithmetic.py       a few seconds

The models are Qwen3's shapes, on torch's device `meta`, where weights take no memory. A step has 64 attempts of 1,024
tokens at prompts of 256, in bfloat16. Memory is that of a rank (`backsight.planning.memory`); seconds follow from
published rates (`backsight.planning.machines`). See `backsight plan --machine` for a run of your own.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # run as a script, `benchmarks` is a package of the repository

from collections.abc import Iterator
from dataclasses import replace

import torch
from rich.console import Console
from transformers import AutoModelForCausalLM, PreTrainedModel, Qwen3Config

from backsight.planning.duration import Tokens, computed_seconds
from backsight.planning.machines import find_machine
from backsight.planning.memory import Load, ModelSize, memory_of, size_of, weights_of_adapter
from backsight.reports.tables import text_table

SHAPES = {
    "0.6 B": {"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16},
    "8 B": {"hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36, "num_attention_heads": 32},
    "32 B": {"hidden_size": 5120, "intermediate_size": 25600, "num_hidden_layers": 64, "num_attention_heads": 64},
}
"""Qwen3's sizes (arXiv:2505.09388, table 1, and the models' configurations)."""
RANKS = (1, 8)
PROMPTS, SIBLINGS, PROMPT, COMPLETION, MICRO_BATCH, RANK_OF_LORA = 8, 8, 256, 1024, 8192, 32
ATTEMPTS = PROMPTS * SIBLINGS
SHARED = ("gradients", "optimizer", "masters")
"""What ranks share out while nothing is learnt: the weights themselves are whole on each."""


def main() -> None:
    """Print the tables."""
    console, machine = Console(width=140), find_machine("h100")
    rows = dict(row for name, shape in SHAPES.items() for row in rows_of(name, model_of(name, shape)))
    title = f"H100, {machine.memory_bytes / 1e9:g} GB each; computed, not measured"
    console.print(text_table(title, rows))


def model_of(name: str, shape: dict[str, int]) -> PreTrainedModel:
    """Return a model of this shape without any weights."""
    heads = {"num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936}
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(Qwen3Config(**shape, **heads, tie_word_embeddings=name == "0.6 B"))


def rows_of(name: str, model: PreTrainedModel) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the rows of a model: all weights and an adapter, on each number of GPUs."""
    whole = size_of(model)
    own = weights_of_adapter(model, RANK_OF_LORA)
    adapted = replace(whole, num_weights=whole.num_weights + own, num_trained=own)
    for trains, size in (("all weights", whole), ("LoRA", adapted)):
        for ranks in RANKS:
            seconds = seconds_of(size, ranks)
            learning = sum(own for phase, own in seconds.items() if phase not in ("decode", "prefill"))
            sampling = seconds["decode"] + seconds["prefill"]
            speed = ATTEMPTS * COMPLETION / sampling
            memory = gigabytes(size, ranks)
            yield (
                f"{name}, {trains}, GPUs: {ranks}",
                {
                    "GB a GPU": f"{memory:,.0f}",
                    "sampling, s": f"{sampling:,.0f}",
                    "learning, s": f"{learning:,.1f}",
                    "sampled tokens/s": f"{speed:,.0f}",
                },
            )


def gigabytes(size: ModelSize, ranks: int) -> float:
    """Return the most that a rank holds on its GPU."""
    load = Load(
        learnt_tokens=MICRO_BATCH,
        decoded_rows=ATTEMPTS // ranks,
        columns=PROMPT + COMPLETION,
        bf16=True,
        recomputes=True,
        on_gpu=True,
    )
    memory = memory_of(size, load)
    return (memory.peak - sum(memory.parts.get(name, 0.0) for name in SHARED) * (1 - 1 / ranks)) / 1e9


def seconds_of(size: ModelSize, ranks: int) -> dict[str, float]:
    """Return the seconds of a step by phase, each rank with its own part of the attempts."""
    own = ATTEMPTS / ranks
    tokens = Tokens(prompt=PROMPTS / ranks * PROMPT, learnt=own * (PROMPT + COMPLETION), longest=COMPLETION, rows=own)
    seconds = computed_seconds(size, tokens, find_machine("h100"), bf16=True)
    return {**seconds, "optimizer": seconds["optimizer"] / ranks}


if __name__ == "__main__":
    main()
