"""The completions that are decoded together: the tokens drawn so far, and the cache of what the model has read.

Tensors: B rows, T columns of the cache, C completion tokens (up to the cap), V vocabulary, E rows that have ended,
h heads, d numbers a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

SPARE_COLUMNS = 64
"""Columns of room in a cache, so that most tokens are written in place and nothing is copied."""


class DecodeCache(Cache):  # type: ignore[misc]
    """A cache of keys and values for transformers' models, whose rows can be chosen, added and dropped.

    A layer that is full gets `spare` more columns. Between `pin` and `release` the layers stay where they are in
    memory, and the next token goes to the column that a tensor names, as a captured graph needs it.
    """

    def __init__(self, spare: int = SPARE_COLUMNS) -> None:
        super().__init__(layer_class_to_replicate=partial(_Layer, spare))

    @property
    def capacity(self) -> int:
        """Number of columns there is memory for."""
        return int(self.layers[0].buffer.shape[-2])

    @property
    def places(self) -> tuple[tuple[int, ...], ...]:
        """Address and shape of each layer in memory.

        They differ after rows were kept or added. The address alone may not, because freed memory is used again.
        """
        return tuple((layer.buffer.data_ptr(), *layer.buffer.shape) for layer in self.layers)

    def pin(self, column_1: Tensor) -> None:
        """Write from now on to the column that `column_1` names, and return all columns there are."""
        for layer in self.layers:
            layer.column_1 = column_1

    def release(self, num_new: int) -> None:
        """Count the `num_new` columns that were written meanwhile, and go on as before `pin`."""
        for layer in self.layers:
            layer.column_1 = None
            layer.length += num_new

    @property
    def num_bytes(self) -> int:
        """Bytes that are in use."""
        return sum(layer.buffer[..., : layer.length, :].nbytes for layer in self.layers if layer.is_initialized)

    def keep(self, rows_B: Tensor, first_column: int) -> None:
        """Keep (or repeat) the rows, and drop the columns before `first_column`."""
        for layer in self.layers:
            layer.keep(rows_B, first_column)

    def add(self, other: DecodeCache) -> None:
        """Append the rows of the other cache; the shorter of the two is padded on the left."""
        for own, new in zip(self.layers, other.layers, strict=True):
            own.add(new)


class _Layer(DynamicLayer):  # type: ignore[misc]
    """A layer whose `buffer`, (2, B, h, capacity, d), holds keys and values; `length` columns are in use.

    Where values have fewer numbers than keys, or keys than values, d is the larger count.
    """

    def __init__(self, spare: int) -> None:
        super().__init__()
        self.spare = spare
        self.length = 0
        self.column_1: Tensor | None = None

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        if key_states.shape[:-1] != value_states.shape[:-1]:
            raise NotImplementedError("keys and values of different shapes")
        self.dtype, self.device = key_states.dtype, key_states.device
        batch, heads, _, self.key_width = key_states.shape
        self.value_width = value_states.shape[-1]
        self.buffer = key_states.new_empty(2, batch, heads, 0, max(self.key_width, self.value_width))
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
        self.buffer[0, :, :, start : self.length, : self.key_width] = key_states
        self.buffer[1, :, :, start : self.length, : self.value_width] = value_states
        keys, values = self.buffer[..., : self.length, :]
        return keys[..., : self.key_width], values[..., : self.value_width]

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
        """Make a buffer with `used` and room behind it: zeros, because attention multiplies even what it masks."""
        _, batch, heads, columns, width = used.shape
        self.buffer = used.new_zeros(2, batch, heads, max(columns, self.length) + self.spare, width)
        self.buffer[..., :columns, :] = used


@dataclass(slots=True)
class Batch:
    """The completions that are decoded together. All tensors have a row for each completion."""

    cache: DecodeCache
    requests_B: Tensor
    """Index of the request that each row answers."""
    mask_BT: Tensor
    """Mask that is 1 where a column of the cache holds a token, and 0 for padding on the left."""
    uniform_BC: Tensor
    """Random numbers that choose the tokens."""
    tokens_BC: Tensor
    log_probs_BC: Tensor
    lengths_B: Tensor
    """Number of tokens drawn so far."""
    begun_B: Tensor
    """Number of tokens of the completion that stood in the prompt."""
    is_alive_B: Tensor
    seen_BV: Tensor | None
    """Whether each token occurs in prompt or completion; None unless repetition is penalised."""

    @classmethod
    def start(
        cls,
        cache: DecodeCache,
        requests: Sequence[int],
        begun: Sequence[int],
        mask_BT: Tensor,
        uniform_BC: Tensor,
        seen_BV: Tensor | None,
    ) -> Batch:
        """Make a batch of prompts that have been read, with no token drawn yet."""
        device, rows = mask_BT.device, len(requests)
        return cls(
            cache,
            torch.tensor(requests, device=device),
            mask_BT,
            uniform_BC,
            tokens_BC=torch.zeros(uniform_BC.shape, dtype=torch.long, device=device),
            log_probs_BC=torch.zeros(uniform_BC.shape, device=device),
            lengths_B=torch.zeros(rows, dtype=torch.long, device=device),
            begun_B=torch.tensor(begun, device=device),
            is_alive_B=torch.ones(rows, dtype=torch.bool, device=device),
            seen_BV=seen_BV,
        )

    def __len__(self) -> int:
        return len(self.requests_B)

    @property
    def positions_B(self) -> Tensor:
        """Number of tokens of the completion before each row's next one."""
        return self.begun_B + self.lengths_B

    @property
    def most_left(self) -> int:
        """Number of tokens until every row has reached the cap."""
        return int(((self.tokens_BC.shape[1] - self.lengths_B) * self.is_alive_B).max())

    @property
    def columns(self) -> Tensor:
        """Column of each row's next token, (B, 1); rows that have ended stay within the cap."""
        return self.lengths_B.clamp(max=self.tokens_BC.shape[1] - 1)[:, None]

    def record(self, tokens_B: Tensor, log_probs_B: Tensor, is_end_B: Tensor) -> None:
        """Append a token to the rows that have not ended; at the cap every row ends."""
        column_B1, alive_B1 = self.columns, self.is_alive_B[:, None]
        for buffer_BC, new_B in ((self.tokens_BC, tokens_B), (self.log_probs_BC, log_probs_B)):
            buffer_BC.scatter_(1, column_B1, torch.where(alive_B1, new_B[:, None], buffer_BC.gather(1, column_B1)))
        if self.seen_BV is not None:
            self.seen_BV.scatter_(1, tokens_B[:, None], True)
        self.lengths_B += self.is_alive_B
        self.is_alive_B &= ~is_end_B & (self.lengths_B < self.tokens_BC.shape[1])

    def next_inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the model reads next: tokens (B, 1), the mask with their column (B, T), positions (B, 1)."""
        tokens_B1 = self.tokens_BC.gather(1, (self.lengths_B - 1)[:, None])
        self.mask_BT = torch.nn.functional.pad(self.mask_BT, (0, 1), value=1)
        return tokens_B1, self.mask_BT, self.mask_BT.sum(-1, keepdim=True) - 1

    def leave(self) -> list[tuple[int, list[int], Tensor]]:
        """Drop the rows that have ended, and return the request, the tokens and the log-probabilities of each."""
        ended = (~self.is_alive_B).nonzero()[:, 0]
        rows = zip(self.requests_B[ended].tolist(), self.lengths_B[ended].tolist(), strict=True)
        tokens, log_probs_EC = self.tokens_BC[ended].tolist(), self.log_probs_BC[ended].cpu()
        left = [
            (request, tokens[place][:length], log_probs_EC[place, :length].clone())
            for place, (request, length) in enumerate(rows)
        ]
        if left:
            self._keep(self.is_alive_B.nonzero()[:, 0])
        return left

    def join(self, other: Batch) -> None:
        """Add the rows of another batch; the mask of the narrower one is padded on the left."""
        widest = max(self.mask_BT.shape[1], other.mask_BT.shape[1])
        for batch in (self, other):
            batch.mask_BT = torch.nn.functional.pad(batch.mask_BT, (widest - batch.mask_BT.shape[1], 0))
        self.cache.add(other.cache)
        for name in self._tensors():
            setattr(self, name, torch.cat([getattr(self, name), getattr(other, name)]))

    def _keep(self, rows_B: Tensor) -> None:
        for name in self._tensors():
            setattr(self, name, getattr(self, name)[rows_B])
        # the columns before it are padding in every row that is left
        first = int(self.mask_BT.any(0).int().argmax()) if len(rows_B) else 0
        self.mask_BT = self.mask_BT[:, first:]
        self.cache.keep(rows_B, first)

    def _tensors(self) -> list[str]:
        return [each.name for each in fields(self) if isinstance(getattr(self, each.name), Tensor)]
