"""The ancestor of all configuration classes. Each stands beside what it configures; `config.py` joins all."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Values that cannot change after they were checked; an unknown name is an error.

    The string under a field is its description. `strict` keeps ``num_generations=true`` from meaning 1.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
