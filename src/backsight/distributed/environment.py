"""What the environment says of the ranks, and which of them speaks for all when a run ends in an error.

Nothing here imports torch: the command line looks here before anything else.
"""

from __future__ import annotations

import os
from typing import Protocol

from backsight.errors import ConfigError

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""Variables that torchrun sets for each process, and Ray Train as well."""
HOST_VARIABLE = "BACKSIGHT_HOST"
"""Variable with the address by which other machines know this one, where something is kept for them."""
SPEAKER = "backsight/speaker"
"""Key under which the ranks agree on who says why the run ends."""


class Store(Protocol):
    """The part of torch's key-value store that is needed here."""

    def compare_set(self, key: str, expected: str, desired: str) -> bytes: ...


class _Known:
    """What is known of the other ranks since they have met."""

    store: Store | None = None


def num_ranks() -> int:
    """Return how many processes learn together; 1 where nobody has said so.

    Raises:
        ConfigError: when a variable is no number.
    """
    return _number("WORLD_SIZE", 1)


def are_several() -> bool:
    """Return whether several processes learn together; False as well where the variable is no number."""
    value = os.environ.get("WORLD_SIZE", "1")
    return value.isdecimal() and int(value) > 1


def own_rank() -> int:
    """Return the number of this process among them, from 0."""
    return _number("RANK", 0)


def local_rank() -> int:
    """Return the number of this process among those of its machine, from 0."""
    return _number("LOCAL_RANK", 0)


def check_complete() -> None:
    """Check that all variables are set with which the ranks find each other.

    Raises:
        ConfigError: when one is missing.
    """
    for name in VARIABLES:
        if name not in os.environ:
            raise ConfigError(name, "not set", f"WORLD_SIZE={num_ranks()} asks for ranks; start them with torchrun")


def check_alone(what: str) -> None:
    """Check that `what`, which knows nothing of ranks, is done by one process.

    Raises:
        ConfigError: when several were started.
    """
    if num_ranks() > 1:
        raise ConfigError("torchrun", f"{num_ranks()} ranks", f"{what} is done by one process; leave out torchrun")


def meet(store: Store) -> None:
    """Remember the store by which the ranks, which have met, agree on who speaks."""
    _Known.store = store


def may_speak() -> bool:
    """Return whether this rank says why the run ends: the first that has to, so that there is one line and not many.

    Ranks that end because another one did come too late for it. Before the ranks have met, all fail alike, and the
    first by number speaks.
    """
    if not are_several():
        return True
    if _Known.store is None:
        return own_rank() == 0
    try:
        return _Known.store.compare_set(SPEAKER, "", str(own_rank())) == str(own_rank()).encode()
    except RuntimeError:  # whoever kept the store has ended, and has spoken
        return False


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, str(default))
    if not value.isdecimal():
        raise ConfigError(name, value, "has to be a whole number; torchrun sets it")
    return int(value)
