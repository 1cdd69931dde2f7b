"""The best policy of a run so far, by its score on the first evaluation split (`keep_best`)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from backsight.policies.base import Policy, set_weights, trained_weights
from backsight.training.progress import Progress


class Kept(NamedTuple):
    """The policy that `keep_best` has saved, and the last one, with their scores on the first evaluation split."""

    split: str
    step: int
    score: float
    last_step: int
    last_score: float

    @property
    def message(self) -> str:
        """Both scores in words, for the user."""
        last = f"the last one, of step {self.last_step}, has {self.last_score:.3f}"
        if self.step == self.last_step:
            return f"keep_best: saved the last policy, of step {self.step}, the best on {self.split} ({self.score:.3f})"
        if self.step == 0:
            start = f"saved the policy of the start ({self.score:.3f} on {self.split}): no step made it better"
            return f"keep_best: {start}; {last}"
        return f"keep_best: saved the policy of step {self.step} ({self.score:.3f} on {self.split}); {last}"


class BestPolicy:
    """A copy of the trained weights of the policy with the best score; of an adapter, its own weights alone.

    It begins with the policy as it is before training, which no step may be better than. Where scores are equal, the
    earlier policy stays.
    """

    @torch.no_grad()
    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.weights: dict[str, Tensor] = {
            name: weight.detach().to("cpu", copy=True) for name, weight in trained_weights(policy.module).items()
        }

    def consider(self, progress: Progress, score: float) -> None:
        """Keep the present policy if its score is above the best so far, and note so in `progress`."""
        if progress.best_score is not None and score <= progress.best_score:
            return
        progress.best_step, progress.best_score = progress.step, score
        set_weights(self.weights, trained_weights(self.policy.module))

    def restore(self) -> None:
        """Set the policy to the best one."""
        set_weights(trained_weights(self.policy.module), self.weights)
