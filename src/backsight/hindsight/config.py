"""Which hindsight method runs, and its options: one class a method, told apart by `name`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backsight.settings import Settings


class OutcomeConfig(Settings):
    """No hindsight: the advantages of the estimator alone. The control of every experiment."""

    name: Literal["outcome"] = "outcome"


class RelabelConfig(Settings):
    """An attempt that failed at what was asked is imitated as a success at what it achieved."""

    name: Literal["relabel"] = "relabel"
    weight: Annotated[float, Field(ge=0)] = 1.0
    """Of a relabelled example, beside the attempts as they were."""


class SupervisedConfig(Settings):
    """Imitate the gold answers; nothing is sampled."""

    name: Literal["supervised"] = "supervised"


HindsightConfig = Annotated[OutcomeConfig | RelabelConfig | SupervisedConfig, Field(discriminator="name")]
