"""Settings of adapters. Nothing here imports torch, because the command line reads this module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from backsight.errors import ConfigError
from backsight.settings import Settings

ALL_LINEAR = "all-linear"


def _as_list(names: object) -> object:
    """Turn a single name into a list of one name."""
    return [names] if isinstance(names, str) else names


class AdapterConfig(Settings):
    """A few new weights beside those of the model, which stay as they are. The names are PEFT's.

    There is no `lora_dropout`: the learner has to score the very function that was sampled from. An adapter wants about
    ten times the learning rate of all weights.
    """

    name: Literal["lora", "dora", "auto"] = "lora"
    """Kind of adapter: LoRA (arXiv:2106.09685), or DoRA, which learns the length of each column besides
    (arXiv:2402.09353). With `auto` all weights are trained where memory is enough for that, and LoRA elsewhere, which
    the run says; it is LoRA in any case where another setting of the adapter is given."""
    r: Annotated[int, Field(ge=1, le=65_536)] = 16
    """Rank of the adapter: the number of directions a layer can change in."""
    lora_alpha: Annotated[int, Field(ge=1)] = 32
    """Strength of the adapter: what it adds is multiplied by lora_alpha / r."""
    target_modules: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        BeforeValidator(_as_list),
        Field(min_length=1, strict=False),
    ] = (ALL_LINEAR,)
    """Layers that get an adapter, by the ends of their names; all-linear means all linear ones but the output's."""
    quantize: bool = False
    """Whether the model itself is held in four bits (QLoRA, arXiv:2305.14314). Needs an NVIDIA GPU and bitsandbytes."""
    merge: bool = False
    """Whether the run leaves a whole model with the adapter added to its weights, instead of the adapter alone."""

    @property
    def is_left_open(self) -> bool:
        """Whether the size of the model decides if there is an adapter."""
        return self.name == "auto"

    @model_validator(mode="before")
    @classmethod
    def _is_there_if_more_is_set(cls, fields: Any) -> Any:
        if not isinstance(fields, Mapping) or fields.get("name") != "auto":
            return fields
        defaults = {name: field.default for name, field in cls.model_fields.items()} | {"name": "auto"}
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
        return fields if given.items() <= defaults.items() else {**fields, "name": "lora"}

    @model_validator(mode="after")
    def _does_not_merge_into_four_bits(self) -> AdapterConfig:
        if self.merge and self.quantize:
            raise ConfigError(
                "adapter.merge", True, "a base in four bits takes up no adapter; leave out adapter.quantize"
            )
        return self
