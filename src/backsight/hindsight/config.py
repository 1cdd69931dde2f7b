"""Which hindsight methods run: one class of options a method, told apart by `name`, beside those of its place."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backsight.hindsight.config_advantage import AdvantageConfigs
from backsight.hindsight.config_prompt import PromptConfigs
from backsight.hindsight.config_response import ResponseConfigs
from backsight.hindsight.config_reward import RewardConfigs
from backsight.hindsight.config_target import TargetConfigs
from backsight.settings import Settings


class OutcomeConfig(Settings):
    """No hindsight: the advantages of the estimator alone. The control of every experiment."""

    name: Literal["outcome"] = "outcome"


MethodConfig = OutcomeConfig | RewardConfigs | PromptConfigs | ResponseConfigs | AdvantageConfigs | TargetConfigs


class RouteConfig(Settings):
    """Attempts that succeeded are learnt by one method, the others by another."""

    name: Literal["route"] = "route"
    then: Annotated[MethodConfig, Field(discriminator="name")]
    """For successes."""
    otherwise: Annotated[MethodConfig, Field(discriminator="name")]
    """For failures; one of which it can make nothing falls to `then`."""


class ChainConfig(Settings):
    """Several methods: each revalues what the next ones see, and what they make is learnt together."""

    name: Literal["chain"] = "chain"
    methods: Annotated[
        tuple[Annotated[MethodConfig | RouteConfig, Field(discriminator="name")], ...],
        Field(min_length=1, strict=False),
    ]
    """In this order; `hindsight=[outcome, relabel]` is short for it."""


HindsightConfig = Annotated[MethodConfig | RouteConfig | ChainConfig, Field(discriminator="name")]


def label(config: HindsightConfig) -> str:
    """What to call it in a folder's name."""
    match config:
        case ChainConfig():
            return "+".join(label(each) for each in config.methods)
        case RouteConfig():
            return f"{label(config.then)}-or-{label(config.otherwise)}"
        case _:
            return config.name


def samples(config: HindsightConfig) -> bool:
    """Whether the method learns from attempts, and not from what is recorded."""
    match config:
        case ChainConfig():
            return all(samples(each) for each in config.methods)
        case _:
            return config.name not in ("supervised", "recorded")
