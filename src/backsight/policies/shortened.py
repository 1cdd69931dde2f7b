"""Models on paper and models with fewer layers, to learn what a model takes that is too large to be run as it is."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers.initialization import no_init_weights

from backsight.errors import ModelError, border
from backsight.policies import adapters
from backsight.policies.opening import KINDS, REMEDY, kind_of, label_settings, load_config, load_tokenizer, loader_of
from backsight.policies.quiet import quiet
from backsight.policies.text import TextPolicy

DEPTHS = (
    "num_hidden_layers",
    "n_layer",
    "n_layers",
    "num_layers",
    "num_decoder_layers",
    "encoder_layers",
    "decoder_layers",
)
"""Names of the fields of configurations that say how many layers there are."""

BLOCK, DEVIATION = 2**16, 0.02
"""Number of random numbers that the weights of a shortened model are made of, and their deviation."""


def depth_of(config: Any) -> int:
    """Return the most layers that a configuration names for a part of the model; 0 if it names none."""
    fields = config.to_dict()
    return max((fields[name] for name in DEPTHS if isinstance(fields.get(name), int)), default=0)


def shorten(config: Any, num_layers: int) -> Any:
    """Return the configuration with at most so many layers in each part of the model."""
    shorter, fields = copy.deepcopy(config), config.to_dict()
    lengths = {fields[name] for name in DEPTHS if isinstance(fields.get(name), int)}
    for name, value in fields.items():
        if name in DEPTHS and isinstance(value, int):
            setattr(shorter, name, min(value, num_layers))
        elif isinstance(value, list) and len(value) in lengths and len(value) > num_layers:
            setattr(shorter, name, value[:num_layers])  # what is said of each layer
    return shorter


def on_paper(path: str, labels: Sequence[str] | None, trust_remote_code: bool) -> Any:
    """Return the model at `path` on torch's device `meta`, which holds shapes and no weights.

    Raises:
        ModelError: when there is no such model, or none of a kind that fits the task.
    """
    with torch.device("meta"):
        return _build(path, labels, trust_remote_code, None)[0]


def open_shortened(path: str, num_layers: int, labels: Sequence[str] | None, trust_remote_code: bool) -> TextPolicy:
    """Return a policy with so many layers of the model at `path`, and random weights.

    Raises:
        ModelError: when there is no such model, or none of a kind that fits the task.
    """
    model, kind = _build(path, labels, trust_remote_code, num_layers)
    if torch.cuda.is_available():
        model.to("cuda")
    return KINDS[kind](model.eval(), load_tokenizer(adapters.base_of(path), trust_remote_code))


def _build(path: str, labels: Sequence[str] | None, trust_remote_code: bool, num_layers: int | None) -> tuple[Any, str]:
    base = adapters.base_of(path)
    config = load_config(base, trust_remote_code)
    kind = kind_of(config)
    if kind == "classifier":
        for name, value in label_settings(base, config, labels).items():
            setattr(config, name, value)
    if num_layers is not None:
        config = shorten(config, num_layers)
    with (
        border(lambda reason: ModelError("policy", path, f"cannot be built: {reason}{REMEDY}")),
        quiet(),
        no_init_weights(),
    ):
        model = loader_of(kind).from_config(config, trust_remote_code=trust_remote_code).float()
    model.tie_weights()  # is left out where no weights are made
    _fill(model)
    return model, kind


@torch.no_grad()
def _fill(model: nn.Module) -> None:
    """Give a model random weights quickly: the same few numbers again and again, of the size that models begin with."""
    block = torch.randn(BLOCK, generator=torch.Generator().manual_seed(0)) * DEVIATION
    for name, weight in model.named_parameters():
        if weight.is_meta:
            continue
        if weight.dim() < 2:  # of a norm, or added
            weight.fill_(1.0 if name.endswith("weight") else 0.0)
            continue
        numbers, size = weight.view(-1), min(BLOCK, weight.numel())
        whole = len(numbers) // size * size
        numbers[:whole].view(-1, size).copy_(block[:size])
        numbers[whole:].copy_(block[: len(numbers) - whole])
