"""A chat model behind an OpenAI-compatible address, on a local or a remote server, that answers conversations.

The key is read from an environment variable whenever it is sent, and stands in no message, representation or log.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import math
import os
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

import httpx2

from backsight.errors import ConfigError, RewardError
from backsight.feedback.asking import insisting
from backsight.feedback.daemons import EventLoop

Messages = list[dict[str, str]]

LONGEST_ANSWER = 2**24
"""Most bytes of an answer; a server that sends more is broken or hostile."""
LONGEST_WAIT = 60.0
"""Most seconds between two attempts, whatever the server asks for."""

CONNECTIONS = 64
"""Most connections of one client: for every request, a client looks through all that it has."""

_LOOP = EventLoop("endpoints")


@dataclass(frozen=True, slots=True)
class ChatEndpoint:
    """A chat model that answers conversations by ``POST {url}/chat/completions``.

    After too many requests (429), errors of the server (5xx) and of the network a request is sent again, after as long
    as the server asks for or else 1, 2, 4 … seconds; every other error ends the run at once. Redirections are refused:
    they could carry the key elsewhere.

    Raises:
        ConfigError: when the address is neither https nor on this machine, or holds a secret, or a number is too small.
    """

    url: str
    """Address without ``/chat/completions``, for example ``https://api.example.com/v1``."""
    model: str
    key_variable: str | None = None
    """Name of the environment variable that holds the key; None: no key is sent."""
    temperature: float = 0.0
    max_tokens: int = 512
    timeout: float = 60.0
    """Seconds after which an attempt fails, even if the server is still answering."""
    retries: int = 4
    first_wait: float = 1.0
    """Seconds before the first retry; each further wait is twice as long."""
    workers: int = 128
    """Most requests under way at the same time, each with a connection of its own. Raise it to ask about a whole step
    at once, as far as the system lets a process open files (``ulimit -n``); lower it for a service that allows few."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.username or parts.password or parts.query:
            raise ConfigError("url", parts.hostname, "holds a password or a query; give a key by key_variable")
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(parts.hostname)):
            raise ConfigError("url", self.url, "must start with https://; http:// only to this machine")
        for name, least in (("retries", 0), ("workers", 1)):
            if getattr(self, name) < least:
                raise ConfigError(name, getattr(self, name), f"set it to {least} or more")

    @insisting
    def __call__(self, conversations: Sequence[Messages]) -> list[str]:
        """Return one answer for each conversation, in order.

        Raises:
            ConfigError: when the environment variable of the key is not set, or holds no key.
            RewardError: when the server refused, or gave no answer that can be read.
        """
        return _LOOP.run(self._answers(conversations, self._authorization()))

    async def _answers(self, conversations: Sequence[Messages], headers: Mapping[str, str]) -> list[str]:
        free = asyncio.Semaphore(self.workers)
        count = math.ceil(min(self.workers, len(conversations)) / CONNECTIONS)
        async with AsyncExitStack() as stack:
            security = httpx2.create_ssl_context()
            clients = [await stack.enter_async_context(self._client(headers, security)) for _ in range(count)]

            async def answer(client: httpx2.AsyncClient, messages: Messages) -> str:
                async with free:
                    return await self._answer(client, messages)

            asked = [asyncio.create_task(answer(*each)) for each in zip(cycle(clients), conversations, strict=False)]
            try:
                return list(await asyncio.gather(*asked))
            finally:
                for task in asked:  # once one has failed, the others are not waited for
                    task.cancel()

    def _client(self, headers: Mapping[str, str], security: ssl.SSLContext) -> httpx2.AsyncClient:
        # proxies of the environment are used for https alone, where they see only the name of the server
        uses_proxies = urlsplit(self.url).scheme == "https"
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)  # `workers` is the limit
        return httpx2.AsyncClient(
            headers=headers, timeout=self.timeout, limits=limits, verify=security, trust_env=uses_proxies
        )

    def _authorization(self) -> dict[str, str]:
        if self.key_variable is None:
            return {}
        key = os.environ.get(self.key_variable, "").strip()
        if not key or not key.isascii() or not key.isprintable():  # an error might print a bad header
            raise ConfigError("key_variable", self.key_variable, "the environment variable holds no key; set it")
        return {"Authorization": f"Bearer {key}"}

    async def _answer(self, client: httpx2.AsyncClient, messages: Messages) -> str:
        body = {
            "model": self.model,
            "messages": messages,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
        }
        wait = self.first_wait
        for attempt in range(self.retries + 1):
            asked_for = None
            try:
                async with asyncio.timeout(self.timeout):
                    status, retry_after, data = await self._post(client, body)
            except (httpx2.RequestError, TimeoutError) as error:
                what = f"cannot be reached ({type(error).__name__})"
            else:
                if status == HTTPStatus.OK:
                    return self._content(data)
                asked_for = _seconds(retry_after)
                what = f"answered {status} ({httpx2.codes.get_reason_phrase(status) or 'unknown'})"
                if status != HTTPStatus.TOO_MANY_REQUESTS and status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise self._failure(what, "check url, model and key")
            if attempt < self.retries:
                await asyncio.sleep(min(LONGEST_WAIT, wait if asked_for is None else asked_for))
                wait *= 2
        raise self._failure(what, f"gave up after {self.retries + 1} attempts; try later, or with fewer workers")

    async def _post(self, client: httpx2.AsyncClient, body: Mapping[str, Any]) -> tuple[int, str | None, bytes]:
        """Send the request, and return status, ``Retry-After`` and answer. Reading stops beyond `LONGEST_ANSWER`."""
        data = b""
        async with client.stream("POST", f"{self.url.rstrip('/')}/chat/completions", json=body) as response:
            async for piece in response.aiter_bytes():
                data += piece
                if len(data) > LONGEST_ANSWER:
                    break
        return response.status_code, response.headers.get("Retry-After"), data

    def _content(self, data: bytes) -> str:
        try:
            if len(data) > LONGEST_ANSWER:
                raise ValueError
            content = json.loads(data)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError, RecursionError):
            content = None
        if not isinstance(content, str):
            raise self._failure("sent no choices[0].message.content", "use an OpenAI-compatible chat server")
        return content

    def _failure(self, what: str, remedy: str) -> RewardError:
        return RewardError(f"endpoint {urlsplit(self.url).hostname}", what, remedy)


def _is_this_machine(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _seconds(header: str | None) -> float | None:
    """Return the seconds of a ``Retry-After``; None without one, or for the form with a date."""
    return float(header) if header is not None and header.isascii() and header.isdigit() else None
