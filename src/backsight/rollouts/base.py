"""The interface of engines, which sample actions: the same for engines in this process and for servers.

An engine is given weights; it does not own the policy. What only some engines can do is a capability with a name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol, cast

import torch

from backsight.errors import ConfigError
from backsight.policies.base import Policy
from backsight.profiling import Profile
from backsight.types import Action, Observation, Sampling

Capability = Literal["act as", "stream", "files"]
"""``act as``: the engine can act with the weights of another policy of this process; see `ActsAsOthers`. ``stream``: it
can show an action while it is still growing; see `StreamsActions`. ``files``: it writes files; see `WritesFiles`."""


class Engine(Protocol):
    """An engine that turns observations into actions, with the log-probabilities they were drawn with."""

    @property
    def capabilities(self) -> Collection[Capability]: ...

    @property
    def profile(self) -> Profile:
        """Seconds and tokens of the phases ``prefill`` and ``decode``."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Precision in which log-probabilities are computed."""
        ...

    def load_weights(self, policy: Policy) -> None:
        """Take over the weights that the policy has now, and act with them from here on."""
        ...

    def act(
        self, observations: Sequence[Observation], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterable[tuple[int, Action]]:
        """Yield one action an observation with its index, in the order in which they are finished.

        An action depends on its observation and its seed, not on what else is asked for. Equal observations may share
        work (one prefill for a group), never a random draw.
        """
        ...


class ActsAsOthers(Engine, Protocol):
    """An engine with the capability ``act as``."""

    def acting_as(self, policy: Policy) -> Engine:
        """Return an engine that acts with the weights of `policy`, whatever weights this one has."""
        ...


class StreamsActions(Engine, Protocol):
    """An engine with the capability ``stream``."""

    def stream(self, observation: Observation, sampling: Sampling, seed: int) -> Iterator[Action]:
        """Yield the action after each of its tokens; the last one is the action that `act` yields for the seed."""
        ...


class WritesFiles(Engine, Protocol):
    """An engine with the capability ``files``."""

    def keep_files_in(self, folder: Path) -> None:
        """Write into this folder from now on; before that, into a temporary one."""
        ...


def keep_files(engine: Engine, folder: Path) -> None:
    """Let an engine that writes files, such as the log of a server, write them into a folder."""
    if "files" in engine.capabilities:
        cast(WritesFiles, engine).keep_files_in(folder)


def stream(engine: Engine, observation: Observation, sampling: Sampling, seed: int) -> Iterator[Action]:
    """Yield an action while it grows, or once it is whole where the engine cannot show it before."""
    if "stream" in engine.capabilities:
        yield from cast(StreamsActions, engine).stream(observation, sampling, seed)
    else:
        yield from (action for _, action in engine.act([observation], sampling, [seed]))


def acting_as(engine: Engine, policy: Policy, purpose: str) -> Engine:
    """Return an engine that acts with the policy's own weights.

    Raises:
        ConfigError: when the engine cannot act as another policy, which `purpose` needs.
    """
    if "act as" not in engine.capabilities:
        remedy = f"cannot act as another policy, which {purpose} needs; set engine=in_process"
        raise ConfigError("engine", type(engine).__name__, remedy)
    return cast(ActsAsOthers, engine).acting_as(policy)
