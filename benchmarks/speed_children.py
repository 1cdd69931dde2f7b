"""How the speed benchmark starts a process, what it tells it, and what it hears back."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from speed_workloads import Workload

GIB = 2**30


class ChildFailed(Exception):
    """A process ended with an error: what it was, and the last line that it said."""


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
        """The job this process was started with."""
        fields = json.loads(sys.argv[1])
        return cls(**{**fields, "workload": Workload.from_dict(fields["workload"])})


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one process measured of one library."""

    step_times: list[float]
    """In seconds, the first steps included."""
    tokens: float
    """Completion tokens in a step, on average."""
    without_signal: float
    """Share of the groups in which every attempt got the same reward."""
    peak_gib: float
    added_gib: float
    """The same above what is held once the code is imported; on an accelerator, equal to the peak."""
    startup: float
    """From the start of the process to the start of the first step, in seconds."""
    profile: dict[str, float] = field(default_factory=dict)
    """Seconds of a step by what they went to."""


def run_child(script: str, job: Job) -> dict[str, Any]:
    """Run a script of this folder in a fresh interpreter; returns the JSON of its last line.

    Raises:
        ChildFailed: it did not end well.
    """
    return run_script(script, json.dumps({**asdict(job), "started": time.time()}))


def run_script(script: str, *arguments: str) -> dict[str, Any]:
    """The same for scripts that take something else than a job."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ChildFailed(f"{script}: {said[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def measure(script: str, job: Job) -> Measurement:
    """Run a library in a process of its own."""
    return Measurement(**run_child(script, job))


def report(answer: Any) -> None:
    """Tell the process that started this one."""
    print("\n" + json.dumps(answer if isinstance(answer, dict) else asdict(answer)))


def resident_gib() -> float:
    """The most memory this process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIB


def imported_gib() -> float:
    """The same at the start, once the code of the model is there: what any library would need."""
    from transformers import Qwen3ForCausalLM as _  # noqa: F401

    return resident_gib()


def peak_gib(device: str) -> float:
    """The same, or of an accelerator the most that tensors have taken there."""
    if device == "cpu":
        return resident_gib()
    import torch

    return torch.cuda.max_memory_allocated() / GIB
