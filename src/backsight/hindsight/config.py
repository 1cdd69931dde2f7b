"""Which hindsight method runs, and its options: one class a method, told apart by `name`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backsight.settings import Settings


class OutcomeConfig(Settings):
    """No hindsight: the advantages of the estimator alone. The control of every experiment."""

    name: Literal["outcome"] = "outcome"


class RelabelConfig(Settings):
    """An attempt is imitated as a success at what it achieved."""

    name: Literal["relabel"] = "relabel"
    outcome_weight: Annotated[float, Field(ge=0)] = 1.0
    """Of the policy gradient on what was asked; 0 leaves imitation alone, as in HIR."""
    imitation_weight: Annotated[float, Field(ge=0)] = 1.0
    """Of the imitation of what was achieved."""
    max_replays: Annotated[int, Field(ge=1)] | None = None
    """Attempts of a group that are imitated, those first that achieved most of what was asked; None: all."""


class SupervisedConfig(Settings):
    """Imitate the gold answers; nothing is sampled."""

    name: Literal["supervised"] = "supervised"


HindsightConfig = Annotated[OutcomeConfig | RelabelConfig | SupervisedConfig, Field(discriminator="name")]
