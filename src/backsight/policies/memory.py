"""Weights in memory of their own.

Weights that are loaded from safetensors are views into the mapped file, and lie wherever the file has put them. Kernels
of matrix products round differently by the alignment of what they read, so that a resumed run would leave the path of
the uninterrupted one; and a file that is changed later would change the weights.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn


@torch.no_grad()
def move_to_own_memory(module: nn.Module) -> None:
    """Copy all weights and buffers that are in main memory to memory that torch has allocated, which is aligned."""
    for tensor in itertools.chain(module.parameters(), module.buffers()):
        if tensor.device.type == "cpu" and not tensor.untyped_storage().is_shared():
            tensor.data = tensor.data.clone()  # memory that processes share stays where it is


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Load the tensors of a safetensors file into memory of their own."""
    return {name: tensor.clone() for name, tensor in load_file(path).items()}
