"""How the tests start several ranks: as a user does, by torchrun, on one machine without a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "src", ROOT / "pocket" / "src", ROOT / "tests", ROOT]
WORKER = Path(__file__).with_name("worker.py")
LONGEST = 600
"""Seconds after which ranks are taken to wait for each other for ever."""
PATIENCE = 4 * LONGEST
"""Seconds for a test: the first of a file starts what the others look at."""


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a rank: one thread each, and nothing of the hub's."""
    paths = os.pathsep.join(map(str, SOURCES))
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **more}


def torchrun(ranks: int, *words: str) -> list[str]:
    """Return the words of a command that starts so many ranks, which find a free port by themselves."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    return [*launcher, *words]


def train(ranks: int, place: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    """Run `backsight train` in the folder, on so many ranks; on one, without torchrun."""
    words = ["-m", "backsight", "train", *settings]
    command = [sys.executable, *words] if ranks == 1 else torchrun(ranks, *words)
    return subprocess.run(
        command, cwd=place, env=environment(), capture_output=True, text=True, timeout=LONGEST, check=False
    )


def work(ranks: int, place: Path, jobs: Mapping[str, Mapping[str, Any]]) -> None:
    """Do several jobs one after the other on the same ranks, because to start them takes longest; see `worker.py`."""
    (place / "jobs.json").write_text(json.dumps(jobs))
    command = torchrun(ranks, str(WORKER)) if ranks > 1 else [sys.executable, str(WORKER)]
    done = subprocess.run(
        command, cwd=place, env=environment(), capture_output=True, text=True, timeout=2 * LONGEST, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
