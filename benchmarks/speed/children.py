"""How the speed benchmark starts a process, what it tells it, and what it hears back."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.shared.places import REPOSITORY
from benchmarks.speed.workloads import Workload

GIB = 2**30


class ChildFailed(Exception):
    """A process ended with an error. The message says which one it was, and the last line that it wrote."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a process has to do."""

    workload: Workload
    folder: str
    """Where the model lies; what a run writes goes to a folder of its own in it."""
    steps: int
    device: str = "cpu"
    seed: int = 0
    started: float = 0.0
    """When the process was started, in seconds since the epoch."""

    @property
    def model(self) -> str:
        return f"{self.folder}/model"

    @classmethod
    def from_arguments(cls) -> Job:
        """Read the job that this process was started with."""
        fields = json.loads(sys.argv[1])
        return cls(**{**fields, "workload": Workload.from_dict(fields["workload"])})


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one process measured of one library."""

    step_times: list[float]
    """Seconds of each step, the first ones included."""
    tokens: float
    """Number of completion tokens in a step, on average."""
    without_signal: float
    """Share of the groups in which every attempt got the same reward."""
    peak_gib: float
    """The most memory that was held at once."""
    added_gib: float
    """The part of the peak above what is held once the code is imported; on an accelerator, all of it."""
    startup: float
    """Seconds from the start of the process to the start of the first step."""
    profile: dict[str, float] = field(default_factory=dict)
    """Seconds of a step by what they went to."""


def run_child(module: str, *arguments: str) -> dict[str, Any]:
    """Run a module of this folder in a fresh interpreter and return the JSON of its last line.

    Raises:
        ChildFailed: it did not end well.
    """
    command = [sys.executable, "-m", f"benchmarks.speed.{module}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ChildFailed(f"{module}: {lines[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def run_job(module: str, job: Job) -> dict[str, Any]:
    """Run a module that takes a job."""
    return run_child(module, json.dumps({**asdict(job), "started": time.time()}))


def measure(library: str, job: Job) -> Measurement:
    """Measure a library in a process of its own."""
    return Measurement(**run_job(library, job))


def report(answer: Any) -> None:
    """Tell the process that started this one."""
    print("\n" + json.dumps(answer if isinstance(answer, dict) else asdict(answer)))


def measure_resident_gib() -> float:
    """Return the most memory that this process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIB


def measure_imported_gib() -> float:
    """Return the memory that is held once the code of the model is imported, which any library needs."""
    from transformers import Qwen3ForCausalLM as _  # noqa: F401

    return measure_resident_gib()


def measure_peak_gib(device: str) -> float:
    """Return the most memory that was held; on an accelerator, the most that tensors have taken there."""
    if device == "cpu":
        return measure_resident_gib()
    import torch

    return torch.cuda.max_memory_allocated() / GIB
