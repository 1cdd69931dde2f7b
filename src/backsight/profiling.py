"""Measures of a run: its time and tokens by phase, its memory, and the best rate of the machine."""

from __future__ import annotations

import re
import resource
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

STATUS = Path("/proc/self/status")
"""File in which Linux tells a process of its own memory (proc(5))."""
MATRIX_SIZE = {"cpu": 1024, "cuda": 8192}
MATRIX_PRODUCTS = 5


class Profile:
    """A stopwatch with named phases. On a GPU a phase ends when its work is done, not when the work is submitted.

    Each second of a thread is of one phase: while another one goes on within it, of any profile, a phase stands still.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.tokens: Counter[str] = Counter()

    @contextmanager
    def phase(self, name: str, tokens: int = 0) -> Iterator[None]:
        """Add the time of the block, even of one that raises, and `tokens` to the phase."""
        open_phases = _OPEN[threading.get_ident()]
        if open_phases:
            open_phases[-1].profile.wait()
        with _LOCK:
            now = time.perf_counter()
            if open_phases:
                open_phases[-1].count(now)
            open_phases.append(_OpenPhase(self, name, now))
        try:
            yield
        finally:
            self.wait()
            with _LOCK:
                now = time.perf_counter()
                open_phases.pop().count(now)
                self.tokens[name] += tokens
                if open_phases:
                    open_phases[-1].since = now

    def take(self) -> Profile:
        """Return what was counted since the last call, phases that go on until now included, and count from zero."""
        taken = Profile()
        with _LOCK:
            for going_on in (each[-1] for each in _OPEN.values() if each):
                if going_on.profile is self:
                    going_on.count(time.perf_counter())
            taken.seconds, taken.tokens = self.seconds, self.tokens
            self.seconds, self.tokens = defaultdict(float), Counter()
        return taken

    def add(self, other: Profile) -> None:
        for phase, seconds in other.seconds.items():
            self.seconds[phase] += seconds
        self.tokens.update(other.tokens)

    def wait(self) -> None:
        """Wait until the work that was submitted to a GPU is done."""
        if self.device is not None and self.device.type == "cuda":
            import torch

            torch.cuda.synchronize(self.device)


@dataclass(slots=True)
class _OpenPhase:
    """A phase that has begun, and when it went on last."""

    profile: Profile
    name: str
    since: float

    def count(self, now: float) -> None:
        """Count the time until now."""
        self.profile.seconds[self.name] += now - self.since
        self.since = now


_OPEN: defaultdict[int, list[_OpenPhase]] = defaultdict(list)
"""The phases that have begun in each thread; the last of them goes on, the others stand still."""
_LOCK = threading.Lock()


def peak_memory(device: torch.device | None = None) -> float:
    """Return the most memory, in GiB, that the process has had resident, or that torch has had allocated on its GPU."""
    if device is not None and device.type == "cuda":
        import torch

        return float(torch.cuda.max_memory_allocated(device)) / 2**30
    return resident_bytes("VmHWM") / 2**30


def resident_bytes(field: str, status: Path = STATUS) -> int:
    """Return the resident memory of this process, now (``VmRSS``) or at its peak (``VmHWM``).

    Elsewhere than on Linux it is the peak in both cases. On Linux that number of `getrusage` would be no less than what
    the process held that started this one. A process that has ended holds nothing.
    """
    try:
        found = re.search(rf"^{field}:\s+(\d+) kB", status.read_text(), re.MULTILINE)
    except FileNotFoundError:
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 1024 * int(found.group(1)) if found is not None else 0


@lru_cache(maxsize=8)
def matrix_product_rate(device: torch.device, dtype: torch.dtype, num_threads: int) -> float:
    """Measure the floating-point operations a second in products of large square matrices: the median of a few.

    `num_threads` is the number of torch's threads, for which the rate is measured once in a process.
    """
    import torch

    size = MATRIX_SIZE.get(device.type, 1024)
    left, right = (torch.ones(size, size, device=device, dtype=dtype) for _ in range(2))
    stopwatch, seconds = Profile(device), []
    for _ in range(MATRIX_PRODUCTS):
        with stopwatch.phase("product"):
            left @ right
        seconds.append(stopwatch.take().seconds["product"])
    return 2 * size**3 / sorted(seconds)[len(seconds) // 2]
