"""A chat endpoint, against a server on this machine."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from backsight.errors import ConfigError, RewardError
from backsight.feedback.endpoint import ChatEndpoint

KEY = "sk-very-secret"
HELLO = [{"role": "user", "content": "hello"}]


class Server(ThreadingHTTPServer):
    """Answers with prepared (status, headers, body), then echoes what the user said."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.prepared: list[tuple[int, dict[str, str], bytes]] = []
        self.received: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.is_silent = False
        self.go_on = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((self.path, dict(self.headers), body))
        if self.server.is_silent:
            self.server.go_on.wait(5)
            return
        said = {"choices": [{"message": {"content": f"echo {body['messages'][-1]['content']}"}}]}
        default = (200, {}, json.dumps(said).encode())
        status, headers, content = self.server.prepared.pop(0) if self.server.prepared else default
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nothing listens there: it must not be used
    running = Server()
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def endpoint(server: Server, **options: Any) -> ChatEndpoint:
    url = f"http://127.0.0.1:{server.server_port}/v1"
    return ChatEndpoint(url, "judge-1", **{"first_wait": 0.01, "timeout": 5.0, **options})


def test_a_question_and_its_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", f"{KEY}\n")
    assert endpoint(server, key_variable="JUDGE_KEY", max_tokens=7)([HELLO]) == ["echo hello"]
    (path, headers, body) = server.received[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert body == {"model": "judge-1", "messages": HELLO, "temperature": 0.0, "max_tokens": 7}


def test_answers_come_in_the_order_of_the_questions(server: Server) -> None:
    questions = [[{"role": "user", "content": str(number)}] for number in range(20)]
    assert endpoint(server)(questions) == [f"echo {number}" for number in range(20)]
    assert endpoint(server)([]) == []
    assert "Authorization" not in server.received[0][1]


def test_a_busy_server_is_asked_again(server: Server) -> None:
    server.prepared = [(429, {"Retry-After": "0"}, b""), (503, {}, b"")]
    assert endpoint(server)([HELLO]) == ["echo hello"]
    assert len(server.received) == 3


def test_the_server_says_how_long_to_wait(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    server.prepared = [(429, {"Retry-After": "7"}, b""), (500, {}, b""), (429, {"Retry-After": "9999"}, b"")]
    endpoint(server, first_wait=1.0)([HELLO])
    assert [wait for wait in waits if wait] == [7.0, 2.0, 60.0]


def test_in_the_end_it_gives_up(server: Server) -> None:
    server.prepared = [(500, {}, b"")] * 3
    with pytest.raises(RewardError, match=r"endpoint 127.0.0.1: answered 500 \(Internal Server Error\).*3 attempts"):
        endpoint(server, retries=2)([HELLO])


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_final_and_says_nothing_of_the_key(
    server: Server, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)
    server.prepared = [(status, {}, f"bad key {KEY}".encode())]
    asks = endpoint(server, key_variable="JUDGE_KEY")
    with pytest.raises(RewardError, match=f"answered {status}") as caught:
        asks([HELLO])
    assert len(server.received) == 1
    assert KEY not in f"{caught.value} {asks!r}"


def test_a_redirection_would_carry_the_key_elsewhere(server: Server) -> None:
    server.prepared = [(307, {"Location": f"http://127.0.0.1:{server.server_port}/other"}, b"")]
    with pytest.raises(RewardError, match="answered 307"):
        endpoint(server)([HELLO])
    assert len(server.received) == 1


def test_silence_is_a_failure(server: Server) -> None:
    server.is_silent = True
    with pytest.raises(RewardError, match="cannot be reached"):
        endpoint(server, timeout=0.05, retries=0)([HELLO])
    server.go_on.set()


@pytest.mark.parametrize("drips_from", [0, 40, 120])
def test_a_server_that_drips_is_given_up(drips_from: int) -> None:
    """One byte now and then, in the head or the body of the answer, is never silence for long."""
    body = json.dumps({"choices": [{"message": {"content": "x" * 5000}}]})
    answer = f"HTTP/1.1 200 OK\r\nX: {'y' * 60}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(answer[:drips_from])
                for byte in answer[drips_from:]:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.02)

        threading.Thread(target=drip, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        started = time.monotonic()
        with pytest.raises(RewardError, match="cannot be reached"):
            ChatEndpoint(url, "judge-1", timeout=0.3, retries=0)([HELLO])
        assert time.monotonic() - started < 10


def test_an_answer_that_cannot_be_unpacked_is_a_failure(server: Server) -> None:
    server.prepared = [(200, {"Content-Encoding": "gzip"}, b"no gzip")] * 2
    with pytest.raises(RewardError, match="cannot be reached.*2 attempts"):
        endpoint(server, retries=1)([HELLO])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"message": {"content": null}}]}']
)
def test_an_answer_that_cannot_be_read_is_refused(server: Server, body: bytes) -> None:
    server.prepared = [(200, {}, body)]
    with pytest.raises(RewardError, match="OpenAI-compatible"):
        endpoint(server)([HELLO])


@pytest.mark.parametrize("value", [None, "", "two\nlines", "schlüssel"])
def test_a_key_that_is_none_is_refused_without_a_request(
    server: Server, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("JUDGE_KEY", value)
    with pytest.raises(ConfigError, match="key_variable: JUDGE_KEY: the environment variable holds no key"):
        endpoint(server, key_variable="JUDGE_KEY")([HELLO])
    assert not server.received


@pytest.mark.parametrize(
    "url", ["http://example.com/v1", "ftp://localhost", "example.com", "http://127.0.0.1.example.com"]
)
def test_keys_and_replies_do_not_travel_in_the_clear(url: str) -> None:
    with pytest.raises(ConfigError, match="must start with https"):
        ChatEndpoint(url, "m")


@pytest.mark.parametrize("url", ["https://example.com/v1", "http://localhost:8000", "http://[::1]:8000/v1"])
def test_addresses_that_will_do(url: str) -> None:
    assert ChatEndpoint(url, "m").url == url


@pytest.mark.parametrize("url", ["https://me:hidden@example.com", "https://example.com/v1?key=hidden"])
def test_a_secret_in_the_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="key_variable") as caught:
        ChatEndpoint(url, "m")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("options", [{"retries": -1}, {"workers": 0}])
def test_numbers_that_are_too_small(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(options))}: .* or more"):
        ChatEndpoint("https://example.com", "m", **options)


class Gathering:
    """A server that answers no question before so many have been asked, each on a connection of its own."""

    def __init__(self, size: int) -> None:
        self.size, self.here, self.most = size, 0, 0
        self.port: Future[int] = Future()
        self.is_full = asyncio.Event()
        threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True).start()

    async def serve(self) -> None:
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0, backlog=self.size)
        self.port.set_result(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            size = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            assert size is not None
            question = json.loads(await reader.readexactly(int(size[1])))["messages"][0]["content"]
            self.here += 1
            self.most = max(self.most, self.here)
            if self.here == self.size:
                self.is_full.set()
            await self.is_full.wait()
            body = json.dumps({"choices": [{"message": {"content": f"echo {question}"}}]}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
            self.here -= 1
        writer.close()


@pytest.mark.parametrize(("asked", "workers", "together"), [(500, 500, 500), (40, 10, 10)])
def test_as_many_questions_as_are_allowed_are_under_way_at_once(asked: int, workers: int, together: int) -> None:
    server = Gathering(together)
    ask = ChatEndpoint(f"http://127.0.0.1:{server.port.result(20)}/v1", "judge-1", workers=workers, timeout=60.0)
    answers = ask([[{"role": "user", "content": str(number)}] for number in range(asked)])
    assert answers == [f"echo {number}" for number in range(asked)]
    assert server.most == together
