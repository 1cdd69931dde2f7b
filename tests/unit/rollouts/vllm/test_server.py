import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from backsight.distributed.environment import HOST_VARIABLE
from backsight.errors import ConfigError, EngineError
from backsight.rollouts.vllm import keeper
from backsight.rollouts.vllm.client import VllmClient
from backsight.rollouts.vllm.placed import PlacedServer, serving, start_server
from backsight.rollouts.vllm.server import VllmServer, check_installed, wait_for

SERVER = """
import http.server, os, subprocess, sys
words = dict(word.removeprefix("--").split("=") for word in sys.argv[1:] if "=" in word)
if words["model"].endswith("broken"):
    sys.exit("ValueError: there is no model in this folder")
helper = subprocess.Popen(["sleep", "600"])
with open(words["model"] + "/pids", "w") as file:
    file.write(f"{os.getpid()} {helper.pid}")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["VLLM_SERVER_DEV_MODE"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer((words["host"], int(words["port"])), Handler).serve_forever()
"""
"""A program in the place of vLLM, with a process of its own."""
RUN = """
import os, signal, sys
from pathlib import Path
from backsight.rollouts.vllm import keeper
from backsight.rollouts.vllm.client import VllmClient
from backsight.rollouts.vllm.server import VllmServer, wait_for
folder = Path(sys.argv[1])
server = VllmServer(sys.executable, folder, [], folder / "log")
wait_for(server, VllmClient(server.url, 5, 0))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a program lies in the place of vLLM."""
    place = tmp_path / "packages" / "vllm" / "entrypoints" / "openai"
    place.mkdir(parents=True)
    (place / "api_server.py").write_text(SERVER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "packages"), *sys.path]))
    return tmp_path


def processes(folder: Path) -> list[int]:
    return [int(each) for each in (folder / "pids").read_text().split()]


def wait_until_gone(pids: list[int]) -> None:
    """Wait until none of the processes runs any more; those that nobody has asked for their end count as gone."""
    until = time.monotonic() + 30
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < until, "a process was left running"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_server_ends_with_all_its_processes(folder: Path) -> None:
    server = VllmServer(sys.executable, folder, [], folder / "log")
    wait_for(server, VllmClient(server.url, 5, 0))
    pids = processes(folder)
    assert not server.has_ended() and all(map(is_running, pids)) and server.url.startswith("http://127.0.0.1:")
    server.stop()
    assert server.has_ended()
    wait_until_gone(pids)


def test_a_server_ends_when_its_run_is_killed(folder: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", RUN, str(folder)], check=False)
    assert killed.returncode == -signal.SIGKILL
    wait_until_gone(processes(folder))


def test_a_server_that_dies_is_noticed_with_what_it_left(folder: Path) -> None:
    server = VllmServer(sys.executable, folder, [], folder / "log")
    wait_for(server, VllmClient(server.url, 5, 0))
    pids = processes(folder)
    os.kill(pids[0], signal.SIGKILL)
    wait_until_gone(pids)
    assert server.has_ended(patience=10)
    server.stop()


def test_nothing_is_left_of_a_server_whose_keeper_was_killed_as_well(folder: Path) -> None:
    server = VllmServer(sys.executable, folder, [], folder / "log")
    wait_for(server, VllmClient(server.url, 5, 0))
    pids = processes(folder)
    keepers = subprocess.run(["pgrep", "-f", f"{keeper.__file__} {folder}"], capture_output=True, text=True, check=True)
    for pid in (pids[0], *map(int, keepers.stdout.split())):
        os.kill(pid, signal.SIGKILL)
    assert server.has_ended(patience=10)
    server.stop()
    wait_until_gone(pids)


def test_a_server_that_does_not_start_says_why(folder: Path) -> None:
    (folder / "broken").mkdir()
    server = VllmServer(sys.executable, folder / "broken", [], folder / "log")
    with pytest.raises(EngineError, match="the server has ended: ValueError: there is no model in this folder"):
        wait_for(server, VllmClient(server.url, 5, 0))


@pytest.mark.parametrize(("command", "code"), [("import sys; sys.exit(3)", 3), ("import os; os.abort()", 134)])
def test_a_keeper_ends_as_its_server_does(command: str, code: int) -> None:
    words = [sys.executable, keeper.__file__, os.devnull, sys.executable, "-c", command]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as kept:
        assert kept.wait() == code


def test_the_python_of_the_server_has_vllm(folder: Path) -> None:
    check_installed(sys.executable)
    (folder / "packages" / "vllm").rename(folder / "elsewhere")
    with pytest.raises(ConfigError, match="has no vLLM; pip install vllm there, or set engine.python"):
        check_installed(sys.executable)
    with pytest.raises(ConfigError, match="engine.python: /nowhere/python: does not exist"):
        check_installed("/nowhere/python")


def test_a_server_ends_with_a_keeper_that_was_killed(folder: Path) -> None:
    """Ray kills the children of a worker that it ends."""
    server = VllmServer(sys.executable, folder, [], folder / "log")
    wait_for(server, VllmClient(server.url, 5, 0))
    serving_pid, helper = processes(folder)
    os.kill(server._keeper.pid, signal.SIGKILL)
    wait_until_gone([serving_pid])
    os.kill(helper, signal.SIGKILL)  # a real server ends those that it has started


def test_for_other_machines_a_server_listens_on_another_address(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOST_VARIABLE, "127.0.0.2")
    server = VllmServer(sys.executable, folder, [], folder / "log")
    wait_for(server, VllmClient(server.url, 5, 0))
    assert server.url == server.address() and server.url.startswith("http://127.0.0.2:")
    server.stop()


def test_a_server_may_be_kept_elsewhere(folder: Path) -> None:
    """The host is this process; what it is asked for goes there by name."""
    host = HereAsElsewhere()
    with serving(host):
        server = start_server(sys.executable, folder, [], folder / "log", 5.0)
    assert isinstance(server, PlacedServer) and isinstance(host.kept[0], VllmServer)
    assert server.url == host.kept[0].url and not server.has_ended()
    server.stop()
    assert server.has_ended(5.0)
    wait_until_gone(processes(folder))


def test_a_server_elsewhere_that_fails_is_told_as_one_here(folder: Path) -> None:
    (folder / "broken").mkdir()
    with serving(HereAsElsewhere()), pytest.raises(EngineError, match="the server has ended: ValueError: there is no"):
        start_server(sys.executable, folder / "broken", [], folder / "log", 5.0)


class HereAsElsewhere:
    def __init__(self) -> None:
        self.kept: list[Any] = []

    def keep(self, make: Callable[[], Any]) -> Callable[..., Awaitable[Any]]:
        kept = make()
        self.kept.append(kept)

        async def call(name: str, *arguments: Any, **named: Any) -> Any:
            return getattr(kept, name)(*arguments, **named)

        return call
