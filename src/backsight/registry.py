"""Registries: things by name, those that backsight brings and those that installed packages add by entry points.

A package adds something by an entry point in its ``pyproject.toml``:

    [project.entry-points."backsight.methods"]
    echo = "my_package.options:EchoOptions"

Groups are ``backsight.presets``, ``backsight.tasks``, ``backsight.methods``, ``backsight.engines``,
``backsight.policies`` and ``backsight.trackers``; the module that owns a group says what its names stand for. A thing
is loaded when its name is looked up, so that what is not used costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from backsight.errors import ConfigError, nearest

Thing = TypeVar("Thing")


class Registry(Generic[Thing]):
    """Things of one kind by name.

    Args:
        group: group of the entry points that are looked up besides `own`.
        field: the setting that holds such a name, for error messages.
        own: things that backsight brings, each a thing or its place as ``"module:attribute"``.
        together: the name under which several things are chosen at once; None if only one can be.
    """

    def __init__(self, group: str, field: str, own: Mapping[str, Thing | str], together: str | None = None) -> None:
        self.group, self.field, self.own, self.together = group, field, own, together

    def names(self) -> list[str]:
        """Return every known name, those of backsight first."""
        return list(dict.fromkeys([*self.own, *(point.name for point in entry_points(group=self.group))]))

    def find(self, name: str) -> Thing:
        """Return the thing of this name.

        Raises:
            ConfigError: when the name is unknown, or its package does not load.
        """
        for thing in self.providers(name):
            return thing
        raise ConfigError(self.field, name, f"unknown; {nearest(name, self.names())}")

    def providers(self, name: str) -> Iterator[Thing]:
        """Yield all things of this name, backsight's own first.

        Raises:
            ConfigError: when a package does not load.
        """
        if name in self.own:
            own = self.own[name]
            yield cast(Thing, load(own) if isinstance(own, str) else own)
        for point in entry_points(group=self.group, name=name):
            yield cast(Thing, self._load(point))

    def _load(self, point: EntryPoint) -> Any:
        try:
            return point.load()
        except Exception as error:  # a package's code may raise anything
            package = "its package" if point.dist is None else f"the package {point.dist.name}"
            remedy = f"{package} does not load ({type(error).__name__}: {error}); mend it or uninstall it"
            raise ConfigError(self.field, point.name, remedy) from error


def load(place: str) -> Any:
    """Import the thing at ``"module:attribute"``, and return it."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
