"""Choice of some parts of a benchmark by their names, as `--only` gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from backsight.errors import ConfigError, nearest


class Named(Protocol):
    """Something that has a name."""

    @property
    def name(self) -> str: ...


NamedT = TypeVar("NamedT", bound=Named)


def choose(parts: Sequence[NamedT], only: str) -> list[NamedT]:
    """Return the parts whose names stand in `only`, with commas between them, or all parts where it is empty.

    Raises:
        ConfigError: there is no part of a name.
    """
    known = {each.name: each for each in parts}
    names = only.split(",") if only else list(known)
    for name in names:
        if name not in known:
            raise ConfigError("--only", name, nearest(name, known))
    return [known[name] for name in names]
