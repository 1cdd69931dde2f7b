"""What the speed benchmark runs: models by their shape, workloads with the aims they are held against, and rewards.

Nothing here imports torch, so that the process that starts the others stays small.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

END, PADDING = "<end>", "<pad>"
CONSTANT_REWARD = 0.5


@dataclass(frozen=True, slots=True)
class Shape:
    """A model of the Llama family."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    intermediate_size: int
    vocab_size: int

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """Inputs and outputs of the matrices of one layer."""
        hidden, inner = self.hidden_size, self.intermediate_size
        queries, keys = self.num_attention_heads * self.head_dim, self.num_key_value_heads * self.head_dim
        attention = [(hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden)]
        return [*attention, (hidden, inner), (hidden, inner), (inner, hidden)]

    @property
    def body(self) -> int:
        """Number of weights in all layers: what every token passes through."""
        return self.num_hidden_layers * sum(inputs * outputs for inputs, outputs in self.matrices)

    @property
    def head(self) -> int:
        """Number of weights in the output layer: what only completion tokens pass through."""
        return self.hidden_size * self.vocab_size


@dataclass(frozen=True, slots=True)
class Workload:
    """What one step samples and learns from."""

    name: str
    prompt_length: int
    max_completion_length: int
    prompts_per_step: int
    num_generations: int
    shape: Shape
    mean_length: float | None = None
    """Mean of the geometric lengths of completions; None: every completion is as long as the cap."""
    end_words: tuple[str, ...] = ()
    """Texts of the tokens that end a completion of SmolLM2; empty for a model with random weights."""
    lora_rank: int | None = None
    """Rank of the adapter that is trained; None: all weights are."""
    constant_share: float = 0.0
    """Share of the prompts of a step whose attempts all get the same reward, so that they teach nothing."""
    speed_aim: float = 1.0
    """How many times faster than TRL a step has to be."""
    memory_aim: float = 1.0
    """The share of TRL's peak memory that a step may take."""

    @property
    def attempts(self) -> int:
        return self.prompts_per_step * self.num_generations

    @property
    def is_pretrained(self) -> bool:
        """Whether the model is SmolLM2; else it has random weights in the likeness of Qwen3."""
        return bool(self.end_words)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Workload:
        """Make the workload again from what `dataclasses.asdict` gave, or JSON made of it."""
        return cls(**{**fields, "shape": Shape(**fields["shape"]), "end_words": tuple(fields["end_words"])})


SMALL = Shape(256, 6, 4, 2, 64, 768, 4096)
"""5.7 million weights in matrices; 6.8 million in all, since input and output embeddings are apart."""

EVEN = Workload("even", 16, 64, 8, 8, SMALL, speed_aim=2.0, memory_aim=0.6)
SKEWED = Workload("skewed", 32, 256, 16, 8, SMALL, mean_length=24, speed_aim=5.0, memory_aim=0.4)
LONG_PROMPT = Workload("long prompt", 384, 32, 8, 8, SMALL, speed_aim=5.0, memory_aim=0.4)
SPARSE = replace(SKEWED, name="sparse", constant_share=0.75, speed_aim=6.0)
LARGE_VOCABULARY = replace(
    EVEN,
    name="large vocabulary",
    shape=Shape(128, 6, 2, 1, 64, 384, 131_072),
    speed_aim=2.5,
    memory_aim=0.3,
)
CPU_WORKLOADS = (EVEN, SKEWED, LONG_PROMPT, SPARSE, LARGE_VOCABULARY)

CUDA_SHAPES = {
    "0.6B": Shape(1024, 28, 16, 8, 128, 3072, 151_936),
    "1.7B": Shape(2048, 28, 16, 8, 128, 6144, 151_936),
}
CUDA_WORKLOADS = tuple(
    replace(workload, name=f"{workload.name}, {size}", shape=shape)
    for size, shape in CUDA_SHAPES.items()
    for workload in (EVEN, SKEWED, LONG_PROMPT, SPARSE)
)


SMOLLM2 = Shape(576, 30, 9, 3, 64, 1536, 49_152)
NEVER_SAID = "<jupyter_script>"
OFTEN_SAID = (".", ",", "\n", " the", " of", " and", " a", " to")
"""About one token in 24 that SmolLM2 draws after random words is one of these."""
FULL_WORKLOADS = (
    Workload("SmolLM2, even", 16, 46, 8, 8, SMOLLM2, None, (NEVER_SAID,), speed_aim=3.0, memory_aim=0.3),
    Workload("SmolLM2, skewed", 32, 256, 4, 8, SMOLLM2, 24, OFTEN_SAID, speed_aim=4.0, memory_aim=0.3),
    Workload("SmolLM2, long prompt", 384, 32, 2, 8, SMOLLM2, None, (NEVER_SAID,), speed_aim=4.0, memory_aim=0.3),
    Workload("SmolLM2, sparse", 32, 256, 4, 8, SMOLLM2, 24, OFTEN_SAID, None, 0.75, speed_aim=4.0, memory_aim=0.3),
)
"""As those of the small model, with steps that TRL has the memory for: it needs 21 GiB for the first one."""
SMOLLM2_WORKLOADS = (
    *FULL_WORKLOADS,
    *(replace(workload, name=f"{workload.name}, LoRA", lora_rank=16) for workload in FULL_WORKLOADS),
)
WORDS = (
    "time year people way day man thing woman life child world school state family student group country problem hand "
    "part place case week company system program question work government number night point home water room mother "
    "area money story fact month lot right study book eye job word business issue side kind head house service friend "
    "father power hour game line end member law car city community name president team minute idea body information "
    "back parent face level office door health person art war history party result change reason research girl guy"
)
"""Words that are one token each to SmolLM2."""


def draw_prompts(workload: Workload, steps: int, seed: int) -> list[str]:
    """Draw as many different prompts as a run uses, each of so many random words; one word is one token."""
    generator = random.Random(seed)
    words = WORDS.split()
    if not workload.is_pretrained:
        words = [write_token(token) for token in range(2, workload.shape.vocab_size)]
    count = steps * workload.prompts_per_step
    return [" ".join(generator.choices(words, k=workload.prompt_length)) for _ in range(count)]


def write_token(token: int) -> str:
    """Return the text of a token; tokens 0 and 1 are `END` and `PADDING`."""
    return f"w{token}"


class Reward:
    """A reward function for both libraries: as good as random, a function of the tokens alone. It counts them, too.

    Of the prompts of each step, the first `constant_share` get `CONSTANT_REWARD` whatever was answered.
    """

    __name__ = "reward"

    def __init__(self, workload: Workload, texts: Sequence[str]) -> None:
        """`texts` are the prompts in the order in which the steps take them."""
        count = round(workload.constant_share * workload.prompts_per_step)
        self.constant = {text for number, text in enumerate(texts) if number % workload.prompts_per_step < count}
        self.tokens = 0

    def __call__(
        self, prompts: Sequence[str], completion_ids: Sequence[Sequence[int]], **columns: object
    ) -> list[float]:
        self.tokens += sum(map(len, completion_ids))
        return [
            CONSTANT_REWARD if prompt in self.constant else zlib.crc32(str(list(tokens)).encode()) / 2**32
            for prompt, tokens in zip(prompts, completion_ids, strict=True)
        ]
