"""Merging of adapters into the weights of their model, and a trial of it before any training."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from backsight.errors import ModelError
from backsight.policies.limits import text_config

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""Rounding error that is allowed, as a share of the largest output of a layer."""


Layers = Sequence[tuple[str, Any]]
"""The layers of a model that have an adapter of `peft`, and those that are trained as a whole, with their names."""


def merge_layers(model: Any, layers: Layers) -> None:
    """Add the adapter to the weights of the model, which computes the same and is a usual model again.

    Where embeddings and head share one weight and the adapter changes one of them, each keeps its own.

    Raises:
        ModelError: when the weights cannot take up the adapter.
    """
    was_tied = _untie(model, layers)
    for name, layer in layers:
        model.set_submodule(name, _merged(name, layer))
    if was_tied:
        _tie_again(model)
    del model.peft_config
    model.requires_grad_(True)


def check_layers(layers: Layers) -> None:
    """Check, layer by layer and on copies, that the model computes the same with the adapter in its weights.

    Raises:
        ModelError: when it does not, or when the weights cannot take up the adapter.
    """
    for name, layer in layers:
        merged = _merged(name, copy.deepcopy(layer))
        inputs = _trial_inputs(merged)
        if inputs is None or not hasattr(layer, "get_base_layer"):  # a layer that is trained as a whole takes its place
            continue
        with torch.no_grad():
            expected, found = layer(inputs).float(), merged(inputs).float()
        tolerance = TOLERANCE.get(merged.weight.dtype, 1e-3)
        if float((found - expected).abs().max()) > tolerance * float(expected.abs().max()):
            raise _unmergeable(name, layer, "the layer computes otherwise afterwards")


def _merged(name: str, layer: Any) -> Any:
    try:
        if hasattr(layer, "unload_and_optionally_merge_module"):
            return layer.unload_and_optionally_merge_module(merge=True, safe_merge=True, adapter_names=None)
        layer.merge(safe_merge=True)
        return layer.get_base_layer()
    except Exception as error:  # each kind of adapter refuses in its own way
        raise _unmergeable(name, layer, " ".join(str(error).split())[:100]) from error


def _unmergeable(name: str, layer: Any, reason: str) -> ModelError:
    kind = type(layer).__module__.split(".")[2:3]
    remedy = f"cannot be added to the weights of {name[-60:]}: {reason.rstrip('.')}; leave out adapter.merge"
    return ModelError("adapter", "".join(kind) or type(layer).__name__, remedy)


def _trial_inputs(layer: Any) -> torch.Tensor | None:
    """Return a few inputs of a layer; None for one whose inputs are not known."""
    if isinstance(layer, nn.Embedding):
        return torch.arange(min(64, layer.num_embeddings), device=layer.weight.device)
    width = getattr(layer, "in_features", layer.weight.shape[0] if type(layer).__name__ == "Conv1D" else None)
    if width is None:
        return None
    generator = torch.Generator().manual_seed(0)
    dtype = layer.weight.dtype if layer.weight.is_floating_point() else torch.bfloat16
    return torch.randn(4, width, generator=generator).to(layer.weight.device, dtype)


def _bare(layer: Any) -> Any:
    """Return the layer beneath adapters."""
    while layer is not None and (hasattr(layer, "original_module") or hasattr(layer, "get_base_layer")):
        layer = layer.original_module if hasattr(layer, "original_module") else layer.get_base_layer()
    return layer


def _untie(model: Any, layers: Layers) -> bool:
    """Give the head a weight of its own where it shares that of the embeddings and one of them has an adapter."""
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    embeddings, head = map(_bare, ends)
    adapted = {id(layer) for _, layer in layers}
    if head is None or head.weight is not embeddings.weight or not any(id(end) in adapted for end in ends):
        return False
    head.weight = nn.Parameter(embeddings.weight.detach().clone())
    return True


def _tie_again(model: Any) -> None:
    """Let head and embeddings share a weight if they are equal; else say in the configuration that they do not."""
    embeddings, head = model.get_input_embeddings(), model.get_output_embeddings()
    if torch.equal(embeddings.weight, head.weight):
        head.weight = embeddings.weight
    else:
        for config in (model.config, text_config(model.config)):
            config.tie_word_embeddings = False
