"""The server: who is answered, what is answered, and what is refused."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.view.made_run import make_run
from starlette.testclient import TestClient

from backsight.errors import ConfigError
from backsight.reports.packed_lines import Row
from backsight.reports.view.asking import Explainers
from backsight.reports.view.server import Address, bind, make_app


def answer(folder: Path, prompt: str, completion: str) -> Row:
    return {"asked": [folder.name, prompt, completion]}


def attempt(folder: Path, step: int, group: int, number: int) -> Row:
    raise ConfigError("attempt", f"{step}/{group}/{number}", f"was not traced in {folder.name}")


@pytest.fixture
def address() -> Iterator[Address]:
    found = bind("127.0.0.1", 0)
    yield found
    found.socket.close()


@pytest.fixture
def client(tmp_path: Path, address: Address) -> TestClient:
    folder = make_run(tmp_path / "made", num_steps=2)
    return TestClient(make_app(address, folder, Explainers(answer, attempt)), base_url=address.url)


def settled(client: TestClient) -> Any:
    while (state := client.get("data/asked").json())["state"] == "working":
        time.sleep(0.005)
    return state


def test_the_page_is_at_its_secret_address(client: TestClient, address: Address) -> None:
    assert client.get("").text.startswith("<!doctype html>")
    assert client.get(f"http://127.0.0.1:{address.port}/").status_code == 404
    assert client.get(f"http://127.0.0.1:{address.port}/data/runs").status_code == 404
    assert len(address.word) >= 20


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", ""])
def test_other_hosts_are_refused(client: TestClient, host: str) -> None:
    assert client.get("data/runs", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1"])
def test_other_pages_are_refused(client: TestClient, origin: str) -> None:
    assert client.get("data/runs", headers={"Origin": origin}).status_code == 400


def test_the_same_machine_has_several_names(client: TestClient, address: Address) -> None:
    assert client.get("data/runs", headers={"Host": f"LocalHost:{address.port}"}).json() == {"runs": ["made"]}


def test_answers_are_not_kept_or_framed(client: TestClient) -> None:
    headers = client.get("").headers
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_data_come_by_run_and_step(client: TestClient) -> None:
    facts = client.get("data/facts", params={"run": "made"}).json()
    assert facts["metrics"]["rows"]["step"] == [1, 2]
    later = client.get("data/facts", params={"run": "made", "metrics": facts["metrics"]["cursor"]}).json()
    assert later["metrics"]["rows"]["step"] == []
    assert len(client.get("data/attempts", params={"run": "made"}).json()["step"]) == 64
    assert client.get("data/traces", params={"run": "made", "step": "1"}).json()["rows"][0]["method"] == "outcome"
    assert len(client.get("data/answers", params={"run": "made", "step": "2"}).json()["rows"]) == 40
    assert client.get("data/credit", params={"run": "made"}).json()["steps"] == [1]


@pytest.mark.parametrize(
    ("path", "query", "line"),
    [
        ("data/facts", {"run": "../made"}, "run: ../made: no such run in this folder"),
        ("data/traces", {"run": "made", "step": "../x"}, "step: ../x: is no whole number"),
        ("data/answers", {"run": "made"}, "step: None: is no whole number"),
    ],
)
def test_bad_requests_get_one_line(client: TestClient, path: str, query: dict[str, str], line: str) -> None:
    found = client.get(path, params=query)
    assert (found.status_code, found.json()) == (409, {"error": line})


def test_a_question_is_answered_in_its_time(client: TestClient) -> None:
    begun = client.post("ask/answer", json={"run": "made", "prompt": "p", "completion": "c"}).json()
    assert begun["number"] == 1
    assert settled(client)["result"] == {"asked": ["made", "p", "c"]}


def test_what_a_question_lacks_is_one_line(client: TestClient) -> None:
    client.post("ask/attempt", json={"run": "made", "step": 1, "group": 2, "attempt": 3})
    assert settled(client)["error"] == "attempt: 1/2/3: was not traced in made"


def test_a_form_of_another_page_asks_nothing(client: TestClient) -> None:
    assert client.post("ask/answer", data={"run": "made"}).status_code == 415
    assert client.post("ask/answer", content=b"[1]", headers={"Content-Type": "application/json"}).status_code == 400
    assert client.get("ask/answer").status_code == 405


def test_runs_that_come_later_are_found(client: TestClient, tmp_path: Path, address: Address) -> None:
    several = tmp_path / "several"
    make_run(several / "one", num_steps=1)
    own = TestClient(make_app(address, several, Explainers(answer, attempt)), base_url=address.url)
    assert own.get("data/runs").json() == {"runs": ["one"]}
    make_run(several / "two", num_steps=1)
    assert own.get("data/runs").json() == {"runs": ["one", "two"]}


def test_a_run_that_was_moved_is_said_to_be_gone(client: TestClient, tmp_path: Path) -> None:
    client.get("data/runs")
    (tmp_path / "made").rename(tmp_path / "moved")
    found = client.get("data/facts", params={"run": "made"}).json()
    assert "is gone; open the folder in its new place" in found["error"]


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port: {port}: cannot be taken .*choose another with --port"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_host_is_one_address(host: str) -> None:
    with pytest.raises(ConfigError, match="name the one address"):
        bind(host, 0)


def test_a_host_of_elsewhere_is_refused() -> None:
    with pytest.raises(ConfigError, match="host: 192.0.2.1: is no address of this machine"):
        bind("192.0.2.1", 0)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_out_of_range_is_refused(port: int) -> None:
    with pytest.raises(ConfigError, match="choose a port"):
        bind("127.0.0.1", port)


def test_an_address_of_version_6_stands_in_brackets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as own:
        assert Address(own, "::1", "word").url == f"http://[::1]:{own.getsockname()[1]}/word/"
