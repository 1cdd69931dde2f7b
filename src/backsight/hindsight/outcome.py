"""`outcome`: no hindsight at all. The advantages of the estimator, on what was sampled. The control.

Place: none; the plain policy gradient (1/N) Σ_i Σ_t ∇ log π(a_t|s_t)·A_t. When every sibling gets the same reward the
advantages are zero and the group teaches nothing: that is what the other methods are for.
"""

from __future__ import annotations

from backsight.hindsight.base import Hindsight


class Outcome(Hindsight):
    """Plain reinforcement learning: what every method does beside its own, and nothing else."""
