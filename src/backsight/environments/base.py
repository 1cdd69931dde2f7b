"""An episode, as Gymnasium words it: reset once, step until terminated or truncated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from backsight.types import Action, Observation


@dataclass(frozen=True, slots=True)
class StepResult:
    """What an environment answers to an action."""

    observation: Observation
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)


class Environment(Protocol):
    """One episode. It is used once: `reset` first, then `step` until it says that it is over."""

    def reset(self) -> Observation: ...

    def step(self, action: Action) -> StepResult: ...


EnvironmentFactory = Callable[[Any], Environment]
"""From a start (a task item, a seed) to a fresh episode."""
