"""A vLLM server that a run starts on this machine, and that ends with the run."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from backsight.distributed.environment import HOST_VARIABLE
from backsight.errors import ConfigError, EngineError
from backsight.rollouts.vllm.client import VllmClient

MODULE = "vllm.entrypoints.openai.api_server"
KEEPER = Path(__file__).with_name("keeper.py")
HOST = "127.0.0.1"
"""Address that a server listens on, unless it is kept for other machines."""
ENVIRONMENT: Mapping[str, str] = {
    "VLLM_SERVER_DEV_MODE": "1",  # without it there is no interface for new weights
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",  # the model lies in a folder
}
DEFAULTS: Mapping[str, str] = {
    "VLLM_CPU_KVCACHE_SPACE": "2",  # GiB, on a CPU; by itself vLLM takes nearly all of its memory
}
"""What stands in the environment unless the user has put something else there."""
WORDS = ("--logprobs-mode=processed_logprobs", "--enable-scale-out", "--enable-prefix-caching")
"""What the engine needs: log-probabilities of the distribution that was drawn from, and tokens in and out."""
LONGEST_START = 900.0
"""Most seconds until a server answers; large models take minutes to load and to compile."""
LOOK = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vllm') is None)"


class VllmServer:
    """A vLLM server as a child of this process.

    Args:
        python: the Python that it runs in.
        model: the folder of the model.
        words: more words for its command line.
        log: the file that its output goes to.
    """

    def __init__(self, python: str, model: Path, words: Sequence[str], log: Path) -> None:
        host = os.environ.get(HOST_VARIABLE, HOST)
        self.log, port = log, _free_port(host)
        self.url = f"http://{host}:{port}"
        command = [python, "-m", MODULE, f"--model={model}", f"--host={host}", f"--port={port}", *WORDS, *words]
        self._keeper = subprocess.Popen(
            [sys.executable, str(KEEPER), str(log), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**DEFAULTS, **os.environ, **ENVIRONMENT},
            start_new_session=True,
        )
        assert self._keeper.stdout is not None
        told = self._keeper.stdout.readline()
        if not told:
            raise EngineError("engine.python", python, f"cannot be started; see {log}")
        self.stop = weakref.finalize(self, _let_go, self._keeper, int(told))
        """End the server, and wait until it has ended. That happens as well when this process ends."""

    def address(self) -> str:
        """Return the address, as what is kept elsewhere has to be asked for it."""
        return self.url

    def has_ended(self, patience: float = 0.0) -> bool:
        """Return whether the server has ended, or does so within the seconds of `patience`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._keeper.wait(patience)
        return self._keeper.returncode is not None


class Server(Protocol):
    """A server that a run has started, on this machine or on another."""

    url: str
    log: Path

    def has_ended(self, patience: float = 0.0) -> bool:
        """Return whether the server has ended, or does so within the seconds of `patience`."""
        ...

    def stop(self) -> object:
        """End the server, and wait until it has ended."""
        ...


def wait_for(server: Server, client: VllmClient) -> None:
    """Wait until a server answers.

    Raises:
        EngineError: when it has ended, or does not answer for a long time.
    """
    until = time.monotonic() + LONGEST_START
    while not server.has_ended() and time.monotonic() < until:
        try:
            client.get("/health", retries=0)
            return
        except EngineError:
            time.sleep(0.5)
    what = "the server has ended" if server.has_ended() else "the server does not answer"
    server.stop()
    raise EngineError("engine.start", what, f"{_last_error(server.log)}; its log is {server.log}")


def check_installed(python: str) -> None:
    """Check that a Python has vLLM.

    Raises:
        ConfigError: when it does not exist, or has none.
    """
    if shutil.which(python) is None:
        raise ConfigError("engine.python", python, "does not exist; give the Python in which vLLM is installed")
    if subprocess.run([python, "-c", LOOK], capture_output=True, check=False).returncode:
        remedy = "has no vLLM; pip install vllm there, or set engine.python to a Python that has it"
        raise ConfigError("engine.python", python, remedy)


def _let_go(keeper: subprocess.Popen[bytes], group: int) -> None:
    with keeper:  # it closes the pipes, and waits
        pass
    with contextlib.suppress(ProcessLookupError):  # of a keeper that was killed, processes may be left
        os.killpg(group, signal.SIGKILL)


def _free_port(host: str) -> int:
    with socket.socket() as taken:
        taken.bind((host, 0))
        return int(taken.getsockname()[1])


def _last_error(log: Path) -> str:
    """Return the first error of a log, which the others follow from, or else its last line."""
    text = log.read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^(?!.*WARNING).*?(\w+(?:Error|Exception): .+)$", text, re.MULTILINE)
    lines = text.split("\n") if found is None else [found.group(1)]
    return next((line.strip()[:160] for line in reversed(lines) if line.strip()), "it wrote nothing")
