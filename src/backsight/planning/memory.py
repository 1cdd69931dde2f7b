"""The memory that a run takes, part by part, by arithmetic on the sizes of the model and what the run does at once.

What one token leaves behind for the backward pass is measured where it can be (`backsight.runs.rehearsal`): the formula
for it is only a floor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from backsight.policies.footprint import BYTES_OF_A_WEIGHT, NUMBERS_OF_A_LAYER, NUMBERS_OF_A_LOGIT
from backsight.policies.limits import text_config
from backsight.rollouts.decoding.language_model import CACHE_BYTES, LOGIT_ELEMENTS

BYTES_IN_BF16 = 2
BYTES_IN_FOUR_BITS = 0.55
"""Bytes of a weight in four bits, with its share of the scales (arXiv:2305.14314, section 3)."""
NUMBERS_RECOMPUTED = 2
"""Numbers that a layer keeps of each token, as a multiple of its width, when it is computed again."""
LIBRARIES = 700e6
"""Bytes of the interpreter and its libraries, where they are not measured."""
SAMPLER, AHEAD = "sampler", "step ahead"
"""Names of copies of the policy: the one that samples, and, before a number, those of steps that are sampled ahead,
which lie in main memory."""
WORKING_AT_ONCE = ("activations and logits", "decoding")
"""Parts that follow each other, so that the larger of them alone counts."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Sizes of a model that say what it takes."""

    num_weights: int
    num_trained: int
    num_multiplied: int
    """Weights that a token is multiplied by: all but those that are looked up."""
    num_layers: int
    hidden_size: int
    vocab_size: int
    cache_bytes: int
    """Bytes of the keys and values of a token in float32."""

    @property
    def has_adapter(self) -> bool:
        return self.num_trained < self.num_weights


def size_of(model: Any) -> ModelSize:
    """Return the sizes of a transformers model, which may lie on torch's device `meta`."""
    shape = text_config(model.config)
    layers, width, vocabulary = (_first(shape, *names) for names in (LAYERS, WIDTHS, ("vocab_size",)))
    heads = _first(shape, *HEADS) or 1
    kept_heads = _first(shape, "num_key_value_heads") or heads
    head_width = _first(shape, "head_dim", "d_kv") or width // heads
    weights = list(model.parameters())
    linear = {id(each.weight) for each in model.modules() if isinstance(each, nn.Linear)}
    looked_up = {id(each.weight) for each in model.modules() if isinstance(each, nn.Embedding)} - linear
    return ModelSize(
        num_weights=sum(each.numel() for each in weights),
        num_trained=sum(each.numel() for each in weights if each.requires_grad),
        num_multiplied=sum(each.numel() for each in weights if id(each) not in looked_up),
        num_layers=layers,
        hidden_size=width,
        vocab_size=vocabulary,
        cache_bytes=2 * layers * kept_heads * head_width * BYTES_OF_A_WEIGHT,
    )


LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers")
WIDTHS = ("hidden_size", "n_embd", "dim", "d_model")
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads", "decoder_attention_heads")
"""Names of the fields of configurations that say how many layers there are, how wide, and with how many heads."""


def _first(config: Any, *names: str) -> int:
    """Return the first of these fields that the configuration has; 0 if it has none."""
    return next((int(value) for name in names if (value := getattr(config, name, None))), 0)


def weights_of_adapter(model: Any, rank: int) -> int:
    """Return how many weights LoRA of this rank adds to all linear layers of a model but its head."""
    head = model.get_output_embeddings()
    linear = [each for each in model.modules() if isinstance(each, nn.Linear) and each is not head]
    return sum(rank * (each.in_features + each.out_features) for each in linear)


@dataclass(frozen=True, slots=True)
class Load:
    """What a run holds at once besides the model, and in which precision."""

    learnt_tokens: int
    """Tokens of the largest micro-batch."""
    decoded_rows: int
    """Rows that are decoded together."""
    columns: int
    """Tokens of the longest prompt and completion together."""
    copies: tuple[str, ...] = ()
    """Copies of the policy that are kept: ``reference``, ``teacher``, ``best``, ``sampler``."""
    bf16: bool = False
    in_four_bits: bool = False
    recomputes: bool = False
    """Whether layers are computed again in the backward pass."""
    on_gpu: bool = False
    bytes_a_token: float | None = None
    """Bytes that a learnt token leaves behind, as measured; None takes the formula."""
    libraries: float = LIBRARIES
    """Bytes of the interpreter and its libraries."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The peak of a run's memory, and what it is made of, in bytes."""

    parts: dict[str, float] = field(default_factory=dict)

    @property
    def peak(self) -> float:
        """The most bytes that are held at once. Learning and decoding follow each other."""
        kept = sum(own for name, own in self.parts.items() if name not in WORKING_AT_ONCE)
        return kept + max(self.parts.get(name, 0.0) for name in WORKING_AT_ONCE)


def memory_of(size: ModelSize, load: Load) -> Memory:
    """Return what a run takes. Parts that it does not have are left out.

    On a GPU that is the GPU's memory: the copy from before a step and the best policy lie in main memory.
    """
    return Memory({name: float(own) for name, own in _parts(size, load) if own})


def _parts(size: ModelSize, load: Load) -> Iterator[tuple[str, float]]:
    a_weight = BYTES_IN_BF16 if load.bf16 else BYTES_OF_A_WEIGHT
    trained = BYTES_OF_A_WEIGHT * size.num_trained
    a_copy = a_weight * (size.num_trained if size.has_adapter else size.num_weights)
    frozen = size.num_weights - size.num_trained
    yield "weights", a_weight * size.num_trained + (BYTES_IN_FOUR_BITS if load.in_four_bits else a_weight) * frozen
    yield "gradients", trained
    yield "optimizer", 2 * trained
    yield "masters", trained if load.bf16 else 0
    yield "copy from before a step", 0 if load.on_gpu else trained
    for name in load.copies:
        is_in_main_memory = name == "best" or name.startswith(AHEAD)
        yield name, 0 if load.on_gpu and is_in_main_memory else a_copy
    yield "activations and logits", load.learnt_tokens * (load.bytes_a_token or floor_of_a_token(size, load))
    cached = size.cache_bytes // 2 if load.bf16 else size.cache_bytes
    rows = min(load.decoded_rows, max(1, LOGIT_ELEMENTS // max(1, size.vocab_size)))
    in_cache = rows * load.columns * cached
    yield "decoding", min(CACHE_BYTES, in_cache) + rows * NUMBERS_OF_A_LOGIT * 4 * size.vocab_size
    yield "interpreter and libraries", 0 if load.on_gpu else load.libraries


def floor_of_a_token(size: ModelSize, load: Load) -> float:
    """Return the bytes that a learnt token leaves behind at least, by the formula in `policies/footprint.py`."""
    numbers = NUMBERS_RECOMPUTED if load.recomputes else NUMBERS_OF_A_LAYER
    a_number = BYTES_IN_BF16 if load.bf16 or load.in_four_bits else BYTES_OF_A_WEIGHT
    return a_number * numbers * size.num_layers * size.hidden_size + 4 * NUMBERS_OF_A_LOGIT * size.vocab_size
