"""Weights in memory of their own, and in another precision.

Weights that are loaded from safetensors are views into the mapped file, and lie wherever the file has put them. Kernels
of matrix products round differently by the alignment of what they read, so that a resumed run would leave the path of
the uninterrupted one; and a file that is changed later would change the weights.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

ROTARY_FREQUENCIES = "inv_freq"
"""How the names of buffers end that hold frequencies of rotary positions, in all models of transformers."""


@torch.no_grad()
def move_to_own_memory(module: nn.Module) -> None:
    """Copy all weights and buffers that are in main memory to memory that torch has allocated, which is aligned."""
    for tensor in itertools.chain(module.parameters(), module.buffers()):
        if tensor.device.type == "cpu" and not tensor.untyped_storage().is_shared():
            tensor.data = tensor.data.clone()  # memory that processes share stays where it is


def in_full_precision(module: nn.Module) -> nn.Module:
    """Return a copy of a module that computes in float32, which shares what is so already; or the module itself.

    What is tried with it says whether two ways to compute are the same, and not how they happen to round: the answer is
    the same for weights before training and in the middle of it.
    """
    weights = list(itertools.chain(module.parameters(), module.buffers()))
    if all(weight.dtype not in (torch.bfloat16, torch.float16) for weight in weights):
        return module
    shared: dict[int, Any] = {id(weight): weight for weight in weights}
    for weight in weights:
        if weight.dtype in (torch.bfloat16, torch.float16):
            exact = weight.detach().float()
            is_parameter = isinstance(weight, nn.Parameter)
            shared[id(weight)] = nn.Parameter(exact, requires_grad=False) if is_parameter else exact
    return copy.deepcopy(module, shared)


@torch.no_grad()
def round_to_bfloat16(module: nn.Module, weights: Iterable[nn.Parameter] | None = None) -> None:
    """Turn weights of a module to bfloat16, all or these, and its tables, but for the frequencies of rotary positions.

    A frequency is multiplied by the position, and so is its rounding error: at the 300th token an angle of SmolLM2
    would be off by 0.4 radians. Whoever opens a model in bfloat16 with transformers has these frequencies in float32.
    """
    tables = [table for name, table in module.named_buffers() if not name.endswith(ROTARY_FREQUENCIES)]
    for each in (*(module.parameters() if weights is None else weights), *tables):
        if each.is_floating_point():
            each.data = each.data.to(torch.bfloat16)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Load the tensors of a safetensors file into memory of their own."""
    return {name: tensor.clone() for name, tensor in load_file(path).items()}
