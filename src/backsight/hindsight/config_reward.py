"""Options of the methods that change the reward."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backsight.settings import Settings


class RescoreConfig(Settings):
    """The episode is judged again, by one who knows what came of it (RLHS)."""

    name: Literal["rescore"] = "rescore"
    reward: Annotated[str, Field(min_length=1)] = "hindsight"
    """The named reward that counts now, instead of all others; usually one with weight 0 before."""


class ShapingConfig(Settings):
    """Every step is paid the change of a potential, which leaves the best policy the best (PBRS)."""

    name: Literal["shaping"] = "shaping"
    discount: Annotated[float, Field(ge=0, le=1)] = 1.0
    """γ of the potential of the next state. The policy stays the best one only with the run's own discount."""


class RudderConfig(Settings):
    """A learnt prediction of the return says which step earned it (RUDDER)."""

    name: Literal["rudder"] = "rudder"
    lessons: Annotated[int, Field(ge=1)] = 256
    """Episodes that the predictor learns from, the newest ones."""
    first_lessons: Annotated[int, Field(ge=1)] = 32
    """Before so many are known, rewards stay as they were paid. Noisy returns need hundreds."""
    updates: Annotated[int, Field(ge=1)] = 20
    """Of the predictor, in every step of the run, with 32 episodes each."""
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    """Of the predictor."""
    hidden_size: Annotated[int, Field(ge=1)] = 32
    """Of the predictor's memory."""


RewardConfigs = RescoreConfig | ShapingConfig | RudderConfig
