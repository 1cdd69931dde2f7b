"""The keys and values of a decode batch whose rows come and go.

Tensors: B rows, h heads, T columns (tokens), d numbers a head. Rows end in the same column, so that prompts are padded
on the left.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

SPARE_COLUMNS = 64
"""So that most tokens are written in place and nothing is copied."""


class DecodeCache(Cache):  # type: ignore[misc]
    """What transformers' models write to, with rows that can be chosen, added and cut.

    `spare` columns of room are made whenever a layer is full. Between `pin` and `release` the layers stay where they
    are in memory, and the next token goes to the column that a tensor names: what a captured graph needs.
    """

    def __init__(self, spare: int = SPARE_COLUMNS) -> None:
        super().__init__(layer_class_to_replicate=partial(_Layer, spare))

    @property
    def capacity(self) -> int:
        """Columns there is memory for."""
        return int(self.layers[0].buffer.shape[-2])

    @property
    def places(self) -> tuple[tuple[int, ...], ...]:
        """Where the layers lie in memory, and in which shape: another one after rows were kept or added, though memory
        that was given back may be handed out again."""
        return tuple((layer.buffer.data_ptr(), *layer.buffer.shape) for layer in self.layers)

    def pin(self, column_1: Tensor) -> None:
        """Write to the column that `column_1` names, and answer with all columns there are."""
        for layer in self.layers:
            layer.column_1 = column_1

    def release(self, num_new: int) -> None:
        """Count the columns that were written meanwhile, and go on as before."""
        for layer in self.layers:
            layer.column_1 = None
            layer.length += num_new

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

    def __init__(self, spare: int) -> None:
        super().__init__()
        self.spare = spare
        self.length = 0
        self.column_1: Tensor | None = None

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        if key_states.shape != value_states.shape:
            raise NotImplementedError("keys and values of different shapes")
        self.dtype, self.device = key_states.dtype, key_states.device
        batch, heads, _, width = key_states.shape
        self.buffer = key_states.new_empty(2, batch, heads, 0, width)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        if self.column_1 is not None:
            self.buffer.index_copy_(3, self.column_1, torch.stack([key_states, value_states]))
            return self.buffer[0], self.buffer[1]
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
        """A buffer with what is in use, and room behind it: zeros, for attention multiplies even what it masks."""
        _, batch, heads, columns, width = used.shape
        self.buffer = used.new_zeros(2, batch, heads, max(columns, self.length) + self.spare, width)
        self.buffer[..., :columns, :] = used
