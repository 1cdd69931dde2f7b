"""What the pocket world trains on, and what it keeps for evaluation."""

from __future__ import annotations

from backsight_pocket import world
from backsight_pocket.constraints import domain_of

TRAIN_ITEMS = 1_000_000
"""Number of items of a training split, far more than a run sees."""


def is_held_out(text: str) -> bool:
    """Return whether a text has words of the domains kept for evaluation, which must not be trained."""
    return any(domain_of(word) in world.HELD_OUT_DOMAINS for word in world.words(text))
