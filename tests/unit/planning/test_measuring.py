"""A process that measures: what it tells, how it may end, and what the planner makes of that."""

from __future__ import annotations

import io
import json
import mmap
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from backsight.errors import BacksightError, ConfigError
from backsight.planning.measuring import OUT_OF_MEMORY, OUT_OF_TIME, MemoryGauge, Teller, measure

CPU = torch.device("cpu")
READING = json.dumps({"name": "step", "prompts": 1})
Write = Callable[[str], str]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """A function that writes a module for a process to run, and returns its name."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(code: str) -> str:
        (tmp_path / "probe.py").write_text(code)
        return "probe"

    return write


def test_every_whole_line_is_a_reading(module: Write) -> None:
    code = f"import sys; print('hello'); print({READING!r}); print({READING[:9]!r}, end='')"
    measured = measure(module(code), [], 60)
    assert measured.readings == [{"name": "step", "prompts": 1}] and measured.ending is None
    assert measured.last("step") == measured.all("step")[0]
    assert measured.last("largest") is None


@pytest.mark.parametrize(
    "death",
    [
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "raise MemoryError",
        "raise RuntimeError('DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes')",
    ],
)
def test_memory_that_runs_out_leaves_what_was_measured(module: Write, death: str) -> None:
    measured = measure(module(f"print({READING!r}, flush=True)\n{death}"), [], 60)
    assert (measured.ending, len(measured.readings)) == (OUT_OF_MEMORY, 1)


def test_a_process_that_takes_too_long_is_ended(module: Write) -> None:
    measured = measure(module(f"import time; print({READING!r}, flush=True); time.sleep(600)"), [], 2)
    assert (measured.ending, len(measured.readings)) == (OUT_OF_TIME, 1)


def test_an_error_of_the_user_is_raised_again(module: Write) -> None:
    stream = io.StringIO()
    Teller(stream).tell_error(ConfigError("policy", 3, "take another"))
    with pytest.raises(ConfigError, match="policy: 3: take another"):
        measure(module(f"print({stream.getvalue().strip()!r})"), [], 60)


def test_any_other_error_is_named(module: Write) -> None:
    with pytest.raises(BacksightError, match="ZeroDivisionError"):
        measure(module("1 / 0"), [], 60)


def test_a_gauge_reads_what_the_kernel_says(tmp_path: Path) -> None:
    status, clear = tmp_path / "status", tmp_path / "clear_refs"
    status.write_text("Name:\tx\nVmHWM:\t     300 kB\nVmRSS:\t     200 kB\n")
    gauge = MemoryGauge(CPU, status, clear)
    assert gauge.begin() == 200 * 1024
    assert clear.read_text() == "5"
    assert gauge.peak() == 300 * 1024


def test_a_gauge_without_a_kernel_that_says_so_knows_the_peak_alone(tmp_path: Path) -> None:
    gauge = MemoryGauge(CPU, tmp_path / "status", tmp_path / "nowhere" / "clear_refs")
    assert gauge.begin() > 10 * 2**20
    assert gauge.peak() >= gauge.held() > 10 * 2**20


@contextmanager
def held(count: int) -> Iterator[None]:
    """Hold so many bytes that no allocator keeps for later."""
    with mmap.mmap(-1, count) as block:
        block.write(b"x" * count)
        yield


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak of a process cannot be forgotten")
def test_a_peak_is_since_the_beginning() -> None:
    gauge = MemoryGauge(CPU)
    with held(64 * 2**20):
        before = gauge.begin()
    gauge.begin()
    assert gauge.peak() < before - 32 * 2**20
    with held(96 * 2**20):
        pass
    assert gauge.peak() > gauge.held() + 64 * 2**20
