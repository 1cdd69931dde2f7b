"""The table of algorithms; each is a name for a choice of estimator, loss, its bounds, and reduction.

Nothing here imports torch. Settings are validated from this table and the documentation is generated from it; the
functions stand under the same names in `estimators/` and `losses/`. To add an algorithm, add a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

CRITIC = "critic"
"""Name of the estimator that learns what to expect (`critic.py`)."""
SCALES = {"group": "grpo", "batch": "batch_grpo", "none": "dr_grpo"}
"""Estimators that subtract the mean of the siblings, by the deviation that they divide by (`scale_rewards`)."""
LOSS_TYPES = ("pg", "clip", "dual_clip", "gspo", "sequence_clip", "tis", "cispo", "sapo")


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A choice of how returns become advantages, what is minimised, and how it is averaged."""

    estimator: Literal["reinforce", "rloo", "grpo", "dr_grpo", "critic"]
    """Name of the function in `backsight.estimators.advantages`, or `CRITIC`."""
    reduction: Literal["token_mean", "sequence_mean", "constant"]
    """Name of the function in `backsight.losses.policy_gradient`."""
    source: str
    """Paper that the algorithm is from."""
    loss_type: str = "clip"
    """Name of the function in `backsight.losses.policy_gradient`."""
    epsilon: float = 0.2
    """Distance of the ratio's lower bound from 1."""
    epsilon_high: float = 0.2
    """Distance of the ratio's upper bound from 1."""

    @property
    def compares_siblings(self) -> bool:
        """Whether an attempt is compared with the others of its group, so that a group needs several."""
        return self.estimator in ("rloo", "grpo", "dr_grpo")


ALGORITHMS: Mapping[str, Algorithm] = {
    "reinforce": Algorithm("reinforce", "token_mean", "Williams 1992"),
    "rloo": Algorithm("rloo", "token_mean", "Ahmadian 2024, arXiv:2402.14740"),
    "grpo": Algorithm("grpo", "sequence_mean", "Shao 2024, arXiv:2402.03300"),
    "dr_grpo": Algorithm("dr_grpo", "constant", "Liu 2025, arXiv:2503.20783"),
    "dapo": Algorithm("grpo", "token_mean", "Yu 2025, arXiv:2503.14476", epsilon_high=0.28),
    "gspo": Algorithm("grpo", "sequence_mean", "Zheng 2025, arXiv:2507.18071", "gspo", 3e-4, 4e-4),
    "cispo": Algorithm("grpo", "token_mean", "MiniMax-M1 2025, arXiv:2506.13585; bounds are verl's", "cispo"),
    "sapo": Algorithm("grpo", "sequence_mean", "Gao 2025, arXiv:2511.20347", "sapo"),
    "ppo": Algorithm("critic", "token_mean", "Schulman 2017, arXiv:1707.06347"),
}
