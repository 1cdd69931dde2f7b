"""What a training step did to a row of the learner, decision by decision, for people to look at.

Tensors: T decisions of the row, K alternatives at a decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backsight.types import Example

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Alternative:
    """An action that could have been taken at a decision."""

    text: str
    log_prob: float


@dataclass(frozen=True, slots=True)
class Trace:
    """A row of the learner, and what was measured of it in a step."""

    example: Example
    places: tuple[str, ...]
    """Places in which what was revealed entered the row: those of the methods that made it."""
    pieces: tuple[str, ...]
    """The text of each decision, (T,): a token, a label, an action."""
    log_probs_T: Tensor
    """Log-probabilities under the policy before the update."""
    entropy_T: Tensor
    """Entropy of the policy at each decision, in nats, before the update."""
    alternatives: tuple[tuple[Alternative, ...], ...]
    """The most likely actions at each decision before the update, (T, K), the most likely first; empty where actions
    cannot be listed."""
    push_T: Tensor
    """The pull of the whole update on each decision: minus the derivative of the loss by its log-probability, summed
    over the passes of the step. Above zero it makes the decision more likely; it is zero where the clip held a
    decision back. The divergence from a teacher is not in it, which pulls at all actions and not only at this one."""
    last_log_probs_T: Tensor
    """Log-probabilities in the last pass over the row; those of before the update where there was one pass."""
    teacher_T: Tensor | None = None
    """Log-probabilities that the teacher gives to what was done; None without a teacher."""
    reference_T: Tensor | None = None
    """Log-probabilities under the frozen reference; None without one."""
