"""A chat model behind an OpenAI-compatible address, as something to ask; it needs nothing but the standard library.

The key is read from an environment variable whenever it is sent, and stands in no message, representation or log.
"""

from __future__ import annotations

import ipaddress
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, responses
from typing import Any
from urllib.parse import urlsplit

from backsight.errors import ConfigError, RewardError

Messages = list[dict[str, str]]

LONGEST_ANSWER = 2**24
"""Bytes; a server that sends more is broken or worse."""
LONGEST_WAIT = 60.0
"""Seconds between two attempts, whatever the server asks for."""


@dataclass(frozen=True, slots=True)
class ChatEndpoint:
    """From conversations to answers, by ``POST {url}/chat/completions``.

    Too many requests (429), errors of the server (5xx) and of the network are tried again, after as long as the server
    asks for or else 1, 2, 4 … seconds; everything else ends the run at once. Redirections are refused: they could carry
    the key elsewhere.

    Raises:
        ConfigError: the address is neither https nor on this machine, or holds a secret; or a number is too small.
    """

    url: str
    """Without ``/chat/completions``, for example ``https://api.example.com/v1``."""
    model: str
    key_variable: str | None = None
    """Name of the environment variable that holds the key; None: no key is sent."""
    temperature: float = 0.0
    max_tokens: int = 512
    timeout: float = 60.0
    """Seconds of silence."""
    retries: int = 4
    first_wait: float = 1.0
    """Seconds before the first retry; they double with each."""
    workers: int = 8
    """Questions under way at the same time."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.username or parts.password or parts.query:
            raise ConfigError("url", parts.hostname, "holds a password or a query; give a key by key_variable")
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(parts.hostname)):
            raise ConfigError("url", self.url, "must start with https://; http:// only to this machine")
        for name, least in (("retries", 0), ("workers", 1)):
            if getattr(self, name) < least:
                raise ConfigError(name, getattr(self, name), f"set it to {least} or more")

    def __call__(self, conversations: Sequence[Messages]) -> list[str]:
        """One answer a conversation, in their order.

        Raises:
            ConfigError: the environment variable of the key is not set, or holds no key.
            RewardError: the server refused, or gave no answer that can be read.
        """
        headers = {"Content-Type": "application/json", **self._authorization()}
        with ThreadPoolExecutor(max_workers=self.workers) as threads:
            return list(threads.map(lambda messages: self._answer(messages, headers), conversations))

    def _authorization(self) -> dict[str, str]:
        if self.key_variable is None:
            return {}
        key = os.environ.get(self.key_variable, "").strip()
        if not key or not key.isascii() or not key.isprintable():  # http.client would print a bad header
            raise ConfigError("key_variable", self.key_variable, "the environment variable holds no key; set it")
        return {"Authorization": f"Bearer {key}"}

    def _answer(self, messages: Messages, headers: dict[str, str]) -> str:
        body = {
            "model": self.model,
            "messages": messages,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
        }
        address = f"{self.url.rstrip('/')}/chat/completions"
        request = urllib.request.Request(address, json.dumps(body).encode(), headers, method="POST")
        return self._content(self._sent(request))

    def _sent(self, request: urllib.request.Request) -> bytes:
        wait = self.first_wait
        for attempt in range(self.retries + 1):
            asked_for = None
            try:
                with _opener().open(request, timeout=self.timeout) as response:
                    return bytes(response.read(LONGEST_ANSWER + 1))
            except urllib.error.HTTPError as error:
                with error:
                    asked_for = _seconds(error.headers.get("Retry-After"))
                what = f"answered {error.code} ({responses.get(error.code, 'unknown')})"
                if error.code != HTTPStatus.TOO_MANY_REQUESTS and error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise self._failure(what, "check url, model and key") from None
            except (OSError, HTTPException) as error:  # URLError and timeouts among them
                what = f"cannot be reached ({type(error).__name__})"
            if attempt < self.retries:
                time.sleep(min(LONGEST_WAIT, wait if asked_for is None else asked_for))
                wait *= 2
        raise self._failure(what, f"gave up after {self.retries + 1} attempts; try later, or with fewer workers")

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


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        return None


def _opener() -> urllib.request.OpenerDirector:
    """Proxies of the environment for https alone, where they see no more than the name of the server."""
    proxies = {scheme: url for scheme, url in urllib.request.getproxies().items() if scheme == "https"}
    return urllib.request.build_opener(urllib.request.ProxyHandler(proxies), _NoRedirection)


def _is_this_machine(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _seconds(header: str | None) -> float | None:
    """Of a Retry-After; the form with a date is left to the usual wait."""
    return float(header) if header is not None and header.isascii() and header.isdigit() else None
