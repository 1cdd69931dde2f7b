"""Well-known algorithms are names for a choice of estimator, loss and normalisation."""

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
    """How returns become advantages, and how the policy-gradient loss is averaged. Its loss stands in `config.py`."""

    estimator: Estimator | None
    """None: a critic, which learns what to expect (`critic.py`)."""
    reduction: Reduction


def _token_mean(max_length: int, lengths: Sequence[int]) -> Tensor:
    return reduction.token_mean(lengths)


def _sequence_mean(max_length: int, lengths: Sequence[int]) -> Tensor:
    return reduction.sequence_mean(lengths)


def _constant(max_length: int, lengths: Sequence[int]) -> Tensor:
    return reduction.constant(lengths, max_length)


ALGORITHMS = {
    "reinforce": Algorithm(reinforce, _token_mean),
    "rloo": Algorithm(rloo, _token_mean),
    "grpo": Algorithm(grpo, _sequence_mean),
    "dr_grpo": Algorithm(dr_grpo, _constant),
    "dapo": Algorithm(grpo, _token_mean),
    "gspo": Algorithm(grpo, _sequence_mean),
    "cispo": Algorithm(grpo, _token_mean),
    "sapo": Algorithm(grpo, _sequence_mean),
    "ppo": Algorithm(None, _token_mean),
}
