"""Who acts: one interface for sampling in this process and, later, for servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from backsight.types import Action, Observation, Sampling


class Engine(Protocol):
    """Turns observations into actions, and keeps the log-probabilities it drew them with."""

    def act(self, observations: Sequence[Observation], sampling: Sampling, seed: int) -> list[Action]:
        """One action an observation, in their order. The same arguments give the same actions.

        Equal observations may share work (one prefill for a group), never a random draw.
        """
        ...
