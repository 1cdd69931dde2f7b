"""A vLLM server that is kept elsewhere, on a machine of a cluster, for the ranks that ask it for answers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from functools import partial
from pathlib import Path

from backsight.context import holding
from backsight.feedback.daemons import EventLoop
from backsight.interfaces import Host
from backsight.rollouts.vllm.client import VllmClient
from backsight.rollouts.vllm.server import Server, VllmServer, wait_for

_HOST: ContextVar[Host | None] = ContextVar("_HOST", default=None)
_LOOP = EventLoop("placed server")


def serving(host: Host | None) -> AbstractContextManager[None]:
    """Have servers that are started inside the block kept by this host; None: on this machine."""
    return holding(_HOST, host)


def start_server(python: str, model: Path, words: Sequence[str], log: Path, timeout: float) -> Server:
    """Start a server here, or where the run has its servers kept, and wait until it answers.

    Raises:
        EngineError: when it cannot be started, or does not answer.
    """
    host, start = _HOST.get(), partial(VllmServer, python, model.resolve(), words, log.resolve())
    server: Server = start() if host is None else PlacedServer(host, start, log)
    wait_for(server, VllmClient(server.url, timeout, 0))
    return server


class PlacedServer:
    """A server on another machine, which ends with whatever keeps it there."""

    def __init__(self, host: Host, start: partial[VllmServer], log: Path) -> None:
        self.log, self._call = log, host.keep(start)
        self.url: str = _LOOP.run(self._call("address"))

    def has_ended(self, patience: float = 0.0) -> bool:
        return bool(_LOOP.run(self._call("has_ended", patience)))

    def stop(self) -> object:
        return _LOOP.run(self._call("stop"))
