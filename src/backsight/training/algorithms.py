"""Well-known algorithms are names for a choice of estimator and normalisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from backsight.estimators.advantages import Estimator, dr_grpo, grpo, reinforce, rloo
from backsight.losses import reduction

Reduction = Callable[[int, Sequence[int]], Tensor]
"""Length cap and lengths of the examples to the weight of each decision, (N,)."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How returns become advantages, and how the policy-gradient loss is averaged."""

    estimator: Estimator
    reduction: Reduction


ALGORITHMS = {
    "reinforce": Algorithm(reinforce, lambda _, lengths: reduction.token_mean(lengths)),
    "rloo": Algorithm(rloo, lambda _, lengths: reduction.token_mean(lengths)),
    "grpo": Algorithm(grpo, lambda _, lengths: reduction.sequence_mean(lengths)),
    "dr_grpo": Algorithm(dr_grpo, lambda max_length, lengths: reduction.constant(lengths, max_length)),
}
