"""From losses a decision to one number: the weight of each decision in the sum. N decisions.

The weights are settled for a whole optimizer step before it is cut into micro-batches, whose sums then add up to the
same loss and the same gradient wherever the cuts are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def token_mean(lengths: Sequence[int]) -> Tensor:
    """Every decision counts the same: 1/N."""
    return torch.full((sum(lengths),), 1 / max(1, sum(lengths)))


def sequence_mean(lengths: Sequence[int]) -> Tensor:
    """Every example counts the same, its decisions share it: 1/(rows·T)."""
    shares = [torch.full((length,), 1 / (len(lengths) * length)) for length in lengths if length]
    return torch.cat(shares) if shares else torch.zeros(0)


def constant(lengths: Sequence[int], max_length: int) -> Tensor:
    """Divided by rows times the cap, so that neither length nor success changes the weight of a decision (Dr. GRPO)."""
    return torch.full((sum(lengths),), 1 / max(1, len(lengths) * max_length))
