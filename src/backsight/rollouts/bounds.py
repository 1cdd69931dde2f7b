"""How far the log-probabilities of one policy may lie apart when two programs compute them, by their precision."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor


class Bound(NamedTuple):
    """The largest and the mean difference of log-probabilities above which two policies are not the same."""

    largest: float
    mean: float

    @classmethod
    def of(cls, differences_N: Tensor) -> Bound:
        """Return the largest and the mean of differences, (N,)."""
        return cls(float(differences_N.max()), float(differences_N.mean()))

    def holds(self, bound: Bound) -> bool:
        """Return whether these differences are within a bound; those that are not numbers are within none."""
        return self.largest <= bound.largest and self.mean <= bound.mean


BOUNDS = {torch.float32: Bound(0.02, 0.002), torch.float16: Bound(0.5, 0.03), torch.bfloat16: Bound(2.0, 0.2)}
"""Bounds by precision, some times the rounding of a sound model: SmolLM2-135M's log-probabilities differ by up to 2e-5
in float32 (the mildest fault seen, a window counted in columns, is 0.15), and by up to 0.4, 0.04 on average, in
bfloat16, whose 8 bits round a logit of 32 by 0.06 each time; float16 has three bits more."""


def coarsest(dtypes: Iterable[torch.dtype]) -> torch.dtype:
    """Return the coarsest of some precisions; what is packed in integers computes in bfloat16."""
    found = {each if each.is_floating_point else torch.bfloat16 for each in dtypes}
    return next((each for each in (torch.bfloat16, torch.float16) if each in found), torch.float32)
