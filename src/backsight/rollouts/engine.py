"""Who acts: one interface for sampling in this process and, later, for servers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from backsight.policies.base import Policy
from backsight.profiling import Profile
from backsight.types import Action, Observation, Sampling


class Engine(Protocol):
    """Turns observations into actions, and keeps the log-probabilities it drew them with."""

    @property
    def policy(self) -> Policy:
        """Whose weights it acts with: those of the last `sync`."""
        ...

    @property
    def profile(self) -> Profile:
        """Seconds and tokens of the phases ``prefill`` and ``decode``."""
        ...

    def sync(self, policy: Policy) -> None:
        """Act with the weights that the policy has now, where they are not shared."""
        ...

    def acting_as(self, policy: Policy) -> Engine:
        """An engine that acts with this policy's own weights, whatever this one has."""
        ...

    def act(
        self, observations: Sequence[Observation], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterable[tuple[int, Action]]:
        """One action an observation with its index, in the order in which they are finished.

        An action depends on its observation and its seed, not on what else is asked for. Equal observations may
        share work (one prefill for a group), never a random draw.
        """
        ...
