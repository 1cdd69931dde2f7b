"""What keeps the policy whole: a training step after which its numbers are no longer finite is undone.

A gradient that is not finite is never applied (`update.py`). A gradient that is finite can still destroy the weights,
for example with a far too high learning rate; that shows only when the model is run. So the weights from before each
training step are kept until the model has been run with the new ones. Only a step that changes weights costs anything,
and the copy lies in memory that is asked for once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from backsight.distributed.weights import Weights
from backsight.policies.base import Policy
from backsight.types import Example, Sampling

MOST_BROKEN_STEPS = 3
"""Number of training steps in a row that may break before the run stops."""


class Safeguard:
    """The weights of the newest whole policy, and the check whether the present ones are whole."""

    def __init__(self, policy: Policy, optimizer: torch.optim.Optimizer, weights: Weights | None = None) -> None:
        """Watch over the policy, whose `weights` may be shared out among ranks; None: they are its own, whole."""
        self.policy, self.optimizer, self.weights = policy, optimizer, weights or Weights(policy.module)
        self.has_changed = False
        """Whether the present training step has changed the weights, or is about to."""
        self._kept: list[torch.Tensor] = []
        optimizer.register_step_pre_hook(lambda *_: None if self.has_changed else self.keep())

    def begin(self) -> None:
        """Begin a training step: the present weights are kept as soon as the optimizer is about to change them."""
        self.has_changed = False

    @torch.no_grad()
    def keep(self) -> None:
        """Keep a copy of the present weights, in the memory of the CPU."""
        self.has_changed, optimized = True, self._optimized
        if not self._kept:
            self._kept = [torch.empty_like(each, device="cpu", pin_memory=each.is_cuda) for each in optimized]
        for kept, weight in zip(self._kept, optimized, strict=True):
            kept.copy_(weight, non_blocking=True)  # a GPU does it before what it is told later: to change the weight

    @torch.no_grad()
    def is_whole(self, examples: Sequence[Example]) -> bool:
        """Return whether all weights are finite, and what the policy says of the shortest of the examples as well."""
        if not self.weights.norm(self._optimized).isfinite():
            return False
        if not examples:
            return True
        shortest = min(examples, key=lambda each: each.num_decisions)
        return bool(self.policy.log_probs([shortest], Sampling()).log_probs_N.isfinite().all())

    @torch.no_grad()
    def undo(self) -> None:
        """Set the weights back to those that were kept, and let the optimizer forget what it knew of the others."""
        for optimized, kept in zip(self._optimized, self._kept, strict=True):
            optimized.copy_(kept)
        self.weights.follow(self._optimized)
        self.optimizer.state.clear()

    @property
    def _optimized(self) -> list[torch.Tensor]:
        """The weights that the optimizer changes, in the order of the policy's: these, or their masters."""
        return [each for group in self.optimizer.param_groups for each in group["params"]]
