"""`backsight view`: what it writes, what it serves, and what it refuses."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from benchmarks.view.made_run import make_run

from backsight.reports.view import server

Run = Callable[..., tuple[int, str, str]]
COMMAND = "view"
SOURCES = Path(__file__).parents[3] / "src"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """Addresses and folders that were served. Nothing is."""
    found: list[tuple[str, Path]] = []

    def note(address: server.Address, folder: Path, _: Any) -> None:
        found.append((address.url, folder))
        address.socket.close()

    monkeypatch.setattr(server, "serve", note)
    return found


def test_a_page_is_written_that_can_be_sent(run: Run, tmp_path: Path) -> None:
    make_run(tmp_path / "made", num_steps=1)
    code, out, _ = run("made", "--html", "page.html")
    assert (code, out.startswith("written: page.html (")) == (0, True)
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_the_folder_of_a_comparison_is_one_page(run: Run, tmp_path: Path) -> None:
    for name in ("outcome-0", "relabel-0"):
        make_run(tmp_path / "compared" / "runs" / name, num_steps=1)
    assert run("compared", "--html", "page.html")[0] == 0


def test_the_address_is_printed_and_opened(
    run: Run, tmp_path: Path, served: list[tuple[str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: bool(opened.append(url)) or True)
    make_run(tmp_path / "made", num_steps=1)
    code, out, errors = run("made")
    ((url, folder),) = served
    assert (code, out, folder) == (0, f"made: {url}\n", Path("made"))
    assert opened == [url]
    assert "Ctrl-C" in errors


def test_without_a_browser_the_address_is_enough(
    run: Run, tmp_path: Path, served: list[tuple[str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    make_run(tmp_path / "made", num_steps=1)
    code, out, errors = run("made")
    assert (code, served[0][0] in out) == (0, True)
    assert "no browser was found; open the address in one" in errors


def test_nothing_is_opened_that_is_not_wanted(
    run: Run, tmp_path: Path, served: list[tuple[str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: pytest.fail("a browser was opened"))
    make_run(tmp_path / "made", num_steps=1)
    assert run("made", "--no-browser")[0] == 0
    assert len(served) == 1


def test_a_folder_without_a_run_is_refused(run: Run) -> None:
    code, out, errors = run("nowhere")
    assert (code, out) == (2, "")
    assert errors == "error: run folder: nowhere: has no config.yaml; name a folder that a run has made\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--html", "there.html"), "html: there.html: exists and is left as it is"),
        (("--html", "page.txt"), "html: page.txt: give it one of the endings .html"),
        (("--html", "no/page.html"), "html: no/page.html: there is no folder no"),
        (("--port", "70000"), "port: 70000: choose a port"),
        (("--host", "0.0.0.0"), "host: 0.0.0.0: name the one address"),
    ],
)
def test_words_that_do_not_fit_are_refused(run: Run, tmp_path: Path, words: tuple[str, ...], line: str) -> None:
    make_run(tmp_path / "made", num_steps=1)
    (tmp_path / "there.html").write_text("kept")
    code, _, errors = run("made", *words)
    assert code == 2
    assert errors.startswith(f"error: {line}")
    assert errors.count("\n") == 1
    assert (tmp_path / "there.html").read_text() == "kept"


def test_a_port_in_use_is_refused(run: Run, tmp_path: Path) -> None:
    make_run(tmp_path / "made", num_steps=1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, errors = run("made", "--port", str(taken.getsockname()[1]))
    assert (code, "choose another with --port" in errors) == (2, True)


def test_ctrl_c_is_the_usual_end(tmp_path: Path) -> None:
    make_run(tmp_path / "made", num_steps=1)
    words = [sys.executable, "-W", "error", "-m", "backsight", "view", "made", "--no-browser"]
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, cwd=tmp_path, env=environment, **pipes) as server:
        assert server.stdout is not None
        url = server.stdout.readline().rpartition(" ")[2].strip()
        with httpx2.Client(trust_env=False, timeout=60) as client:
            answer = client.get(f"{url}data/runs")
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=60)
    assert answer.json() == {"runs": ["made"]}
    assert (server.returncode, errors) == (0, "Ctrl-C ends the view; nothing is written to the run folder\n")


def test_what_is_not_installed_is_named(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path / "made", num_steps=1)
    find = importlib.util.find_spec
    monkeypatch.setattr("backsight.cli.view.find_spec", lambda name: None if name == "starlette" else find(name))
    code, _, errors = run("made")
    assert (code, "pip install 'backsight[view]'" in errors) == (2, True)
    assert run("made", "--html", "page.html")[0] == 0
