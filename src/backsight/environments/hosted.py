"""Environments that are kept elsewhere, on machines of a cluster, and played from here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

from backsight.context import holding
from backsight.feedback.daemons import EventLoop
from backsight.interfaces import Host

_HOST: ContextVar[Host | None] = ContextVar("_HOST", default=None)
_LOOP = EventLoop("hosted environments")


def hosting(host: Host | None) -> AbstractContextManager[None]:
    """Have environments that are made inside the block kept by this host; None: in this process."""
    return holding(_HOST, host)


def make_here_or_elsewhere(make_env: Callable[[], Any]) -> Any:
    """Make an environment in this process, or have the host of the run make it."""
    host = _HOST.get()
    return make_env() if host is None else HostedEnvironment(host, make_env)


class HostedEnvironment:
    """An environment that is kept elsewhere, as an asynchronous one: those of all episodes compute at the same time."""

    def __init__(self, host: Host, make_env: Callable[[], Any]) -> None:
        self._call = host.keep(make_env)

    async def reset(self, *, seed: int) -> Any:
        return await self._call("reset", seed=seed)

    async def step(self, said: str) -> Any:
        return await self._call("step", said)

    async def close(self) -> None:
        await self._call("close")

    def achieved(self, transitions: Sequence[Any]) -> Any:
        return _LOOP.run(self._call("achieved", transitions))
