"""Options of the methods that change the target distribution."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backsight.settings import Settings


class SelfDistillConfig(Settings):
    """A teacher that knows what was revealed scores the policy's own attempts (SDPO, OPSD, SDFT)."""

    name: Literal["self_distill"] = "self_distill"
    outcome_weight: Annotated[float, Field(ge=0)] = 0.0
    """Of the policy gradient on what was sampled."""
    distill_weight: Annotated[float, Field(gt=0)] = 1.0
    """Of the divergence from the teacher."""
    where: Literal["everywhere", "failures", "less_likely"] = "everywhere"
    """Which tokens are taught: all; those of attempts that failed; those that the teacher finds less likely."""
    template: str = "{hint}\n{prompt}"
    """What the teacher sees."""
    introduce: bool = True
    """Whether the hint says what kind of hint it is."""


class SRPOConfig(Settings):
    """Successes are reinforced, failures learn from the teacher."""

    name: Literal["srpo"] = "srpo"
    distill_weight: Annotated[float, Field(gt=0)] = 1.0
    """Of the divergence from the teacher."""
    template: str = "{hint}\n{prompt}"
    """What the teacher sees."""
    introduce: bool = True
    """Whether the hint says what kind of hint it is."""


TargetConfigs = SelfDistillConfig | SRPOConfig
