"""The completions that are being decoded together: what was drawn of each, and what the model has read so far.

Tensors: B rows, T columns of the cache, C completion tokens (up to the cap), V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from backsight.rollouts.cache import DecodeCache


@dataclass(slots=True)
class Batch:
    """All tensors have a row for each completion."""

    cache: DecodeCache
    requests_B: Tensor
    """Which request each row answers."""
    mask_BT: Tensor
    """Which columns of the cache hold a token; the others are padding on the left."""
    uniform_BC: Tensor
    """The random numbers that choose the tokens."""
    tokens_BC: Tensor
    log_probs_BC: Tensor
    lengths_B: Tensor
    """Tokens drawn so far."""
    begun_B: Tensor
    """Tokens of the completion that stood in the prompt."""
    is_alive_B: Tensor
    seen_BV: Tensor | None
    """Tokens that occur in prompt or completion; only kept where they are penalised."""

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
        """Prompts that have been read, with nothing drawn yet."""
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
        """Tokens of the completion before each row's next one."""
        return self.begun_B + self.lengths_B

    @property
    def most_left(self) -> int:
        """Tokens until every row has reached the cap."""
        return int(((self.tokens_BC.shape[1] - self.lengths_B) * self.is_alive_B).max())

    @property
    def columns(self) -> Tensor:
        """(B, 1) the column of each row's next token; rows that have ended stay within the cap."""
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
        """What the model reads next: tokens (B, 1), the mask with their column, positions (B, 1)."""
        tokens_B1 = self.tokens_BC.gather(1, (self.lengths_B - 1)[:, None])
        self.mask_BT = torch.nn.functional.pad(self.mask_BT, (0, 1), value=1)
        return tokens_B1, self.mask_BT, self.mask_BT.sum(-1, keepdim=True) - 1

    def leave(self) -> list[tuple[int, list[int], Tensor]]:
        """Drop the rows that have ended; returns request, tokens and log-probabilities (T_a,) of each."""
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
        """Take in the rows of another batch; the mask of the narrower one is padded on the left."""
        widest = max(self.mask_BT.shape[1], other.mask_BT.shape[1])
        for batch in (self, other):
            batch.mask_BT = torch.nn.functional.pad(batch.mask_BT, (widest - batch.mask_BT.shape[1], 0))
        self.cache.add(other.cache)
        for name in self._tensors():
            setattr(self, name, torch.cat([getattr(self, name), getattr(other, name)]))

    def _keep(self, rows_B: Tensor) -> None:
        for name in self._tensors():
            setattr(self, name, getattr(self, name)[rows_B])
        # columns that are padding in every row that is left
        first = int(self.mask_BT.any(0).int().argmax()) if len(rows_B) else 0
        self.mask_BT = self.mask_BT[:, first:]
        self.cache.keep(rows_B, first)

    def _tensors(self) -> list[str]:
        return [each.name for each in fields(self) if isinstance(getattr(self, each.name), Tensor)]
