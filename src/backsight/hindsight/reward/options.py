"""Options of the methods that change the reward."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from backsight.hindsight.options import ADVANTAGES, REWARDS, Count, MethodOptions, Positive


class RescoreOptions(MethodOptions):
    """The episode is rated again by a judge that knows what came of it (RLHS)."""

    method: ClassVar[str] = "rescore:Rescore"
    changes = REWARDS
    replaces = REWARDS | ADVANTAGES
    name: Literal["rescore"] = "rescore"
    reward: Annotated[str, Field(min_length=1)] = "hindsight"
    """Name of the reward that counts instead of all others, usually one that had the weight 0 before."""


class ShapingOptions(MethodOptions):
    """Every step is paid the change of a potential, which leaves the best policy the best (PBRS)."""

    method: ClassVar[str] = "shaping:Shaping"
    changes = REWARDS
    replaces = ADVANTAGES
    name: Literal["shaping"] = "shaping"


class RudderOptions(MethodOptions):
    """A learnt prediction of the return says which step earned it (RUDDER)."""

    method: ClassVar[str] = "rudder:Rudder"
    changes = REWARDS
    replaces = ADVANTAGES
    name: Literal["rudder"] = "rudder"
    lessons: Count = 256
    """Number of the newest episodes that the predictor learns from."""
    first_lessons: Count = 32
    """Number of known episodes below which rewards stay as they were paid. Noisy returns need hundreds."""
    updates: Count = 20
    """Updates of the predictor in every step of the run, with 32 episodes each."""
    learning_rate: Positive = 3e-3
    """Learning rate of the predictor."""
    hidden_size: Count = 32
    """Size of the predictor's memory."""


REWARD = (RescoreOptions, ShapingOptions, RudderOptions)
