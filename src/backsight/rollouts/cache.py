"""The keys and values of a decode batch whose rows come and go.

Tensors: B rows, h heads, T columns (tokens), d numbers a head. Rows end in the same column, so that prompts are padded
on the left.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

SPARE_COLUMNS = 64
"""Room that is made whenever a layer is full, so that most tokens are written in place and nothing is copied."""


class DecodeCache(Cache):  # type: ignore[misc]
    """What transformers' models write to, with rows that can be chosen, added and cut."""

    def __init__(self) -> None:
        super().__init__(layer_class_to_replicate=_Layer)

    @property
    def num_bytes(self) -> int:
        """What is in use."""
        return sum(layer.buffer[..., : layer.length, :].nbytes for layer in self.layers)

    def keep(self, rows_B: Tensor, first_column: int) -> None:
        """Keep (or repeat) the rows, and drop the columns before `first_column`."""
        for layer in self.layers:
            layer.keep(rows_B, first_column)

    def add(self, other: DecodeCache) -> None:
        """Append the rows of the other cache; the shorter of the two is padded on the left."""
        for own, new in zip(self.layers, other.layers, strict=True):
            own.add(new)


class _Layer(DynamicLayer):  # type: ignore[misc]
    """`buffer` (2, B, h, capacity, d) holds keys and values; `length` columns of it are in use."""

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        if key_states.shape != value_states.shape:
            raise NotImplementedError("keys and values of different shapes")
        self.dtype, self.device = key_states.dtype, key_states.device
        self.length = 0
        batch, heads, _, width = key_states.shape
        self.buffer = key_states.new_empty(2, batch, heads, 0, width)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, self.length = self.length, self.length + key_states.shape[-2]
        if self.length > self.buffer.shape[-2]:
            self._replace(self.buffer[..., :start, :])
        self.buffer[0, :, :, start : self.length] = key_states
        self.buffer[1, :, :, start : self.length] = value_states
        keys, values = self.buffer[..., : self.length, :]
        return keys, values

    def get_seq_length(self) -> int:
        return self.length if self.is_initialized else 0

    def keep(self, rows_B: Tensor, first_column: int) -> None:
        used = self.buffer[..., first_column : self.length, :]
        self.length -= first_column
        self._replace(used.index_select(1, rows_B))

    def add(self, other: _Layer) -> None:
        longest = max(self.length, other.length)
        parts = [
            torch.nn.functional.pad(layer.buffer[..., : layer.length, :], (0, 0, longest - layer.length, 0))
            for layer in (self, other)
        ]
        self.length = longest
        self._replace(torch.cat(parts, 1))

    def _replace(self, used: Tensor) -> None:
        """A buffer with what is in use, and room behind it."""
        _, batch, heads, columns, width = used.shape
        self.buffer = used.new_empty(2, batch, heads, max(columns, self.length) + SPARE_COLUMNS, width)
        self.buffer[..., :columns, :] = used
