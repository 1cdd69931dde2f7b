"""The ways to train that are compared, with the names of methods as `docs/methods.md` has them.

Which methods look back in which application was decided by the table "How to choose" of that page, before any of them
had been tried here (docs/decisions/0039-methods-chosen-before-the-results.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

TEMPERATURE = 0.7
"""Temperature of attempts, and of the answers of which the best is taken. At 1 the base rambles."""
RATES, GENTLE_RATES = (3e-5, 1e-4), (1e-5, 3e-5)
"""The learning rates that a way chooses from: of those that sample, and of those that imitate gold answers."""


class Role(StrEnum):
    """What a way is in the comparison."""

    BASE = "base"
    SELECTION = "best of n"
    SUPERVISED = "supervised fine-tuning"
    PREFERENCE = "DPO"
    PLAIN = "plain RL"
    HINDSIGHT = "hindsight"
    CONTROL = "control"
    """Hindsight without what is said to make it work."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to train, or not to train at all."""

    name: str
    role: Role
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of `backsight.finetune`."""
    rates: tuple[float, ...] = RATES
    learns: str = "task"
    """The name of what it learns from, of the tasks of its application; ``dense`` is the same with a denser reward."""
    rows_for_attempts: float = 0.0
    """Rows of gold answers that are imitated for each attempt that others make; 0 for those that make attempts."""
    samples: int = 1
    """Number of answers of which the best is taken when it is asked."""

    @property
    def is_trained(self) -> bool:
        return bool(self.settings)


BASE = Way("base", Role.BASE)
BEST_OF_4 = Way("best_of_4", Role.SELECTION, samples=4)
SUPERVISED = {"hindsight": "supervised"}
SFT = Way("sft", Role.SUPERVISED, SUPERVISED, GENTLE_RATES, rows_for_attempts=1 / 8)
"""As many passes over the gold answers as the others make over the prompts."""
SFT_LONG = Way("sft_long", Role.SUPERVISED, SUPERVISED, GENTLE_RATES, rows_for_attempts=1.0)
"""As many rows as the others make attempts."""
DPO = Way("dpo", Role.PREFERENCE, {"hindsight": "preference"}, GENTLE_RATES)


def plain(learns: str = "task") -> Way:
    """Return plain reinforcement learning."""
    name = "outcome" if learns == "task" else f"outcome, {learns} reward"
    return Way(name, Role.PLAIN, {"hindsight": "outcome"}, learns=learns)


def looking_back(name: str, hindsight: Any, learns: str = "task", **settings: Any) -> Way:
    """Return a way that looks back."""
    return Way(name, Role.HINDSIGHT, {"hindsight": hindsight, **settings}, learns=learns)


def distilling(learns: str = "task") -> tuple[Way, ...]:
    """Return self-distillation beside the reward, and its controls: the hint of another prompt, no hint, and a fixed
    negative advantage."""
    own = {"name": "self_distill", "outcome_weight": 1.0}
    controls = {
        "hint of another": {**own, "hint": "other"},
        "no hint": {**own, "hint": "absent"},
        "fixed penalty": {"name": "opd", "penalty": 1.0},
    }
    return (
        looking_back("self_distill", own, learns),
        *(Way(name, Role.CONTROL, {"hindsight": each}, learns=learns) for name, each in controls.items()),
    )
