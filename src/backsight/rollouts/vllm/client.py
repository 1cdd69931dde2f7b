"""The HTTP interface of a vLLM server: requests that are sent again when they fail, at most a few times.

What a server draws follows from the seed in the request, so that a request that is sent again counts once.
"""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections.abc import Generator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import httpx2

from backsight.errors import EngineError, reason
from backsight.feedback.daemons import PARTING, EventLoop

MOST_AT_ONCE = 512
"""Most requests under way at the same time; the server puts those in a queue that it has no room for."""
LONGEST_WAIT = 15.0
"""Most seconds between two attempts."""
SERVER = "engine.url"
"""What errors of the server are named after."""


class VllmClient:
    """A client of one server.

    Args:
        url: the address of the server, such as ``http://127.0.0.1:8000``.
        timeout: seconds after which a request fails.
        retries: how often a request is sent again after an error of the network or the server, or an answer that is
            no JSON; between two attempts there are 1, 2, 4 … seconds.
    """

    def __init__(self, url: str, timeout: float, retries: int) -> None:
        self.url, self.timeout, self.retries = url.rstrip("/"), timeout, retries
        self.first_wait = 1.0
        self._loop = EventLoop("vllm")

    def get(self, path: str, *, retries: int | None = None) -> Any:
        """Return the answer to a GET request.

        Raises:
            EngineError: when there is none.
        """
        return self._loop.run(self._ask_once("GET", path, None, retries))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the answer to a POST request.

        Raises:
            EngineError: when there is none.
        """
        return self._loop.run(self._ask_once("POST", path, body or {}, None))

    def post_all(self, path: str, bodies: Sequence[Mapping[str, Any]]) -> Generator[tuple[int, Any], None, None]:
        """Send all bodies, and yield the index and the answer of each as it comes; its error, where there is none."""
        answers: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        has_ended = threading.Event()
        sending = self._loop.start(self._send_all(path, bodies, answers, has_ended))
        try:
            for _ in bodies:
                yield answers.get()
            self._loop.wait(sending)  # it closes its connections
        finally:
            # a connection that is being opened when its request is cancelled may stay open, so that requests under way
            # have a moment to end by themselves
            if not has_ended.wait(PARTING):
                sending.cancel()
                has_ended.wait(PARTING)

    async def _send_all(
        self,
        path: str,
        bodies: Sequence[Mapping[str, Any]],
        answers: queue.SimpleQueue[tuple[int, Any]],
        has_ended: threading.Event,
    ) -> None:
        async def send(index: int, body: Mapping[str, Any]) -> None:
            try:
                answer = await self._ask(session, "POST", path, body, None)
            except Exception as error:  # one request that fails does not end the others
                answer = error
            answers.put((index, answer))

        try:
            async with _session() as session:
                await asyncio.gather(*(send(index, body) for index, body in enumerate(bodies)))
        finally:
            has_ended.set()

    async def _ask_once(self, method: str, path: str, body: Mapping[str, Any] | None, retries: int | None) -> Any:
        async with _session() as session:
            return await self._ask(session, method, path, body, retries)

    async def _ask(
        self,
        session: httpx2.AsyncClient,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        retries: int | None,
    ) -> Any:
        wait, attempts = self.first_wait, 1 + (self.retries if retries is None else retries)
        for attempt in range(attempts):
            try:
                async with asyncio.timeout(self.timeout):
                    response = await session.request(method, self.url + path, json=body)
                if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                    return self._read(path, response)
                failure = f"answered {response.status_code}: {_said(response)}"
            except TimeoutError:
                failure = f"gave no answer to {path} within {self.timeout:g} s"
            except (httpx2.RequestError, json.JSONDecodeError, UnicodeDecodeError) as error:
                failure = f"cannot be reached, or breaks off ({type(error).__name__}: {reason(error)})"
            if attempt + 1 < attempts:
                await asyncio.sleep(wait)
                wait = min(LONGEST_WAIT, 2 * wait)
        again = f" {attempts} times" if attempts > 1 else ""
        raise EngineError(SERVER, self.url, f"{failure}{again}; see the log of the server, or start it anew")

    def _read(self, path: str, response: httpx2.Response) -> Any:
        """Return what an answer holds.

        Raises:
            EngineError: when the server refuses.
        """
        if response.status_code == HTTPStatus.OK:
            return json.loads(response.content) if response.content[:1] in (b"{", b"[") else None
        what = f"refuses {path} ({response.status_code}): {_said(response)}"
        raise Refusal(SERVER, self.url, what, response.status_code)


class Refusal(EngineError):
    """An answer of a server that will stay the same however often it is asked."""

    def __init__(self, field: str, value: object, remedy: str, status: int) -> None:
        super().__init__(field, value, remedy)
        self.status = status


def _said(response: httpx2.Response) -> str:
    """Return the message of an answer that is an error."""
    try:
        answer = json.loads(response.content)
        found = answer.get("error", answer)
        found = found.get("message", found) if isinstance(found, dict) else found
        return str(found)[:200]
    except (ValueError, AttributeError):
        return response.content[:200].decode("utf-8", errors="replace")


def _session() -> httpx2.AsyncClient:
    """Return connections to a server; time limits are set by whoever asks, and no proxy stands between."""
    limits = httpx2.Limits(max_connections=MOST_AT_ONCE, max_keepalive_connections=MOST_AT_ONCE)
    return httpx2.AsyncClient(timeout=None, trust_env=False, limits=limits)
