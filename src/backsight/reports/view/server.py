"""The server of the live page, for this machine alone. The only file that imports Starlette and uvicorn.

The address holds a random word, without which nothing is answered, and requests that name another host are refused: a
page from elsewhere that runs in the same browser can read nothing. Nothing is written anywhere.
"""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from backsight.errors import BacksightError, ConfigError, one_line, reason
from backsight.reports.packed_lines import Row
from backsight.reports.view.asking import Desk, Explainers
from backsight.reports.view.data import RunData, find_runs, json_text
from backsight.reports.view.page import live_page

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""What is said with every answer; the page itself says what may run in it."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the page is: a socket that is bound, and the secret word of the address."""

    socket: socket.socket
    host: str
    word: str

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/{self.word}/"


def bind(host: str, port: int) -> Address:
    """Take a port of this machine; 0 takes one that is free.

    Raises:
        ConfigError: when the port is in use or not for users, or the host is no address of this machine.
    """
    if host in ("0.0.0.0", "::", ""):
        raise ConfigError("host", host or "nothing", "name the one address at which the page is to be opened")
    if not 0 <= port <= 65535:
        raise ConfigError("port", port, "choose a port from 1024 to 65535, or 0 for one that is free")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
        if number in (errno.EADDRINUSE, errno.EACCES):
            remedy = f"cannot be taken ({reason(error)}); choose another with --port, or leave it out for a free one"
            raise ConfigError("port", port, remedy) from error
        raise ConfigError("host", host, f"is no address of this machine ({reason(error)}); leave it out") from error
    return Address(bound, host, secrets.token_urlsafe(16))


def serve(address: Address, folder: Path, explainers: Explainers) -> None:
    """Answer requests until the process is interrupted."""
    app = make_app(address, folder, explainers)
    config = uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):  # the usual way to end it
        server.run(sockets=[address.socket])


def make_app(address: Address, folder: Path, explainers: Explainers) -> ASGIApp:
    """Make the application that answers under the address."""
    desk = _Desk(folder, explainers)
    routes = [
        Route("/", partial(_page, live_page(folder.resolve().name))),
        *(Route(f"/data/{name}", _json(answer)) for name, answer in desk.answers.items()),
        *(Route(f"/ask/{name}", _json(answer), methods=["POST"]) for name, answer in desk.questions.items()),
    ]
    app = Starlette(
        routes=[Mount(f"/{address.word}", routes=routes)],
        middleware=[Middleware(GZipMiddleware, compresslevel=1)],
    )
    return _Guard(app, {f"{name}:{address.port}" for name in _names(address.host)})


def _names(host: str) -> set[str]:
    """Return what the host may be called in a request."""
    own = f"[{host}]" if ":" in host else host
    return {own, "localhost", "127.0.0.1"} if host in ("127.0.0.1", "localhost", "::1") else {own}


class _Guard:
    """Refuses requests for other hosts, which is how pages from elsewhere reach for servers of this machine."""

    def __init__(self, app: ASGIApp, hosts: set[str]) -> None:
        self.app, self.hosts = app, {each.lower() for each in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        origin = request.headers.get("origin", "").removeprefix("http://").lower()
        if request.headers.get("host", "").lower() not in self.hosts or origin not in {"", *self.hosts}:
            await Response("this server answers at its own address alone", 400, HEADERS)(scope, receive, send)
            return
        await self.app(scope, receive, send)


class _Desk:
    """The answers to the requests of the page."""

    def __init__(self, folder: Path, explainers: Explainers) -> None:
        self.folder, self.explainers, self.desk = folder, explainers, Desk()
        self._runs: dict[str, RunData] = {}
        self.answers: dict[str, Answer] = {
            "runs": lambda _: {"runs": list(self._find())},
            "facts": lambda asked: self._run(asked).facts(asked),
            "attempts": lambda asked: self._run(asked).attempts(asked.get("cursor", "")),
            "traces": lambda asked: {"rows": self._run(asked).traces(_whole_number(asked, "step"))},
            "answers": lambda asked: {"rows": self._run(asked).answers(_whole_number(asked, "step"))},
            "credit": lambda asked: self._run(asked).credit(),
            "asked": lambda _: self.desk.state(),
        }
        self.questions: dict[str, Answer] = {"answer": self._ask_answer, "attempt": self._ask_attempt}

    def _find(self) -> dict[str, RunData]:
        """Return the runs that there are now."""
        found = find_runs(self.folder)
        self._runs = {name: self._runs.get(name) or RunData(name, reader) for name, reader in found.items()}
        return self._runs

    def _run(self, asked: Mapping[str, str]) -> RunData:
        name = asked.get("run", "")
        if name not in self._runs:
            self._find()
        if name not in self._runs:
            raise ConfigError("run", name, "no such run in this folder")
        return self._runs[name]

    def _ask_answer(self, asked: Mapping[str, str]) -> Row:
        folder = self._run(asked).reader.folder
        prompt, completion = asked.get("prompt", ""), asked.get("completion", "")
        return self.desk.ask(lambda: self.explainers.answer(folder, prompt, completion))

    def _ask_attempt(self, asked: Mapping[str, str]) -> Row:
        folder = self._run(asked).reader.folder
        step, group, attempt = (_whole_number(asked, name) for name in ("step", "group", "attempt"))
        return self.desk.ask(lambda: self.explainers.attempt(folder, step, group, attempt))


Answer = Callable[[Mapping[str, str]], Row]
"""A function from what was asked, by name, to values of JSON."""


def _whole_number(asked: Mapping[str, str], name: str) -> int:
    try:
        return int(asked.get(name, ""))
    except (TypeError, ValueError):
        raise ConfigError(name, asked.get(name), "is no whole number") from None


async def _page(html: str, _: Request) -> Response:
    return HTMLResponse(html, headers=HEADERS)


def _json(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers a request with JSON, in a thread, since disks may be slow."""

    async def respond(request: Request) -> Response:
        asked = dict(request.query_params) | (await _body(request) if request.method == "POST" else {})
        try:
            found, status = await run_in_threadpool(answer, asked), 200
        except BacksightError as error:
            found, status = {"error": one_line(error.field, error.value, error.remedy)}, 409
        return Response(json_text(found), status, HEADERS, "application/json")

    return respond


async def _body(request: Request) -> dict[str, str]:
    if request.headers.get("content-type") != "application/json":  # which no form of another page can send
        raise HTTPException(415)
    try:
        found = await request.json()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise HTTPException(400)
    return {str(name): value if isinstance(value, str) else str(value) for name, value in found.items()}
