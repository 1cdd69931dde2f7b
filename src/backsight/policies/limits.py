"""The lengths that a model was made for, by its configuration: how many tokens it reads, and how far back it looks.

Models of text and images keep the settings of the text in a configuration of its own within the whole one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

NESTED = ("thinker_config", "text_config", "language_config", "llm_config", "decoder", "generator")
"""Names of the field that holds the configuration of the text."""
LENGTHS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "max_sequence_length",
    "n_ctx",
    "max_target_positions",
)
"""Names of the field that says how many positions there are."""
WINDOWS = {
    "sliding_attention": ("sliding_window", "window_size", "local_window_size"),
    "chunked_attention": ("attention_chunk_size",),
}
"""Kinds of layers that do not see all tokens, and the names of the field that says how many they see."""
CHANGING = ("dynamic", "longrope", "su")
"""Kinds of rotary tables that depend on the longest row of a batch, once it is longer than those of the training."""


def text_config(config: Any) -> Any:
    """Return the part of a configuration that concerns the text: the decoder's, where there are several."""
    nested = (getattr(config, name, None) for name in NESTED)
    return next((text_config(each) for each in nested if hasattr(each, "to_dict")), config)


def max_length(model: Any) -> int | None:
    """Return the most tokens that a model reads as one; None when its configuration names no limit.

    A rotary table that changes with the length holds only up to where it begins to change: beyond that, keys that are
    kept from one token to the next are turned otherwise than those of a row that is read at once.
    """
    config = text_config(model.config)
    known = [_named_length(config), fixed_rotary_length(model), _learnt_positions(model)]
    return min((length for length in known if length), default=None)


def part_length(model: Any, part: str) -> int | None:
    """Return the most tokens that the encoder or the decoder of a model reads; None when there is no limit."""
    config = getattr(model.config, part, model.config)
    return _count(getattr(config, f"max_{part}_position_embeddings", None)) or _named_length(text_config(config))


def fixed_rotary_length(model: Any) -> int | None:
    """Return the number of tokens up to which the rotary table stays the same; None when it always does."""
    config = text_config(model.config)
    own = _count(getattr(config, "original_max_position_embeddings", None))
    trained = _count(getattr(config, "max_position_embeddings", None))
    lengths = [
        _count(table.get("original_max_position_embeddings")) or own or trained
        for table in _rotary_tables(config)
        if table.get("rope_type", table.get("type")) in CHANGING
    ]
    return min((length for length in lengths if length), default=None)


def attention_window(model: Any) -> int | None:
    """Return the fewest tokens that a layer sees; None when every layer sees all of them."""
    config = text_config(model.config)
    layers = getattr(config, "layer_types", None)
    if getattr(config, "use_sliding_window", True) is False and not layers:
        return None
    sizes = [
        _count(getattr(config, name, None))
        for kind, names in WINDOWS.items()
        if layers is None or kind in layers
        for name in names
    ]
    return min((size for size in sizes if size), default=None)


def _named_length(config: Any) -> int | None:
    lengths = [_count(getattr(config, name, None)) for name in LENGTHS]
    return next((length for length in lengths if length), None)


def _rotary_tables(config: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the settings of the rotary tables: one for all layers, or one for each kind of layer."""
    for name in ("rope_parameters", "rope_scaling"):
        settings = getattr(config, name, None)
        if isinstance(settings, Mapping):
            yield settings
            yield from (each for each in settings.values() if isinstance(each, Mapping))


def _learnt_positions(model: Any) -> int | None:
    """Return the number of learnt positions behind those that stand for padding, as in RoBERTa, where there are any."""
    lengths = [
        module.num_embeddings - module.padding_idx - 1
        for name, module in model.named_modules()
        if isinstance(module, nn.Embedding) and name.endswith("position_embeddings") and module.padding_idx is not None
    ]
    return min(lengths, default=None)


def _count(value: Any) -> int | None:
    """Return a number of tokens; None for what says that there is no limit: nothing, -1, or an astronomic number."""
    return int(value) if isinstance(value, int | float) and 0 < value < 10**9 else None
