"""How the time of a step grows with what is asked of it, beside the growth that the arithmetic allows.

    python -m benchmarks.speed.growth AXIS COUNT

runs the first COUNT sizes along an axis. Along each axis one number grows and the others stay. The exponent is the
slope between the two largest sizes, both axes logarithmic: 1 where twice as much takes twice as long. What the
arithmetic allows is the same slope for the floating-point operations of the same steps, with a prompt counted once a
group.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.shared.results import Figure
from benchmarks.speed.children import Job, report, run_child
from benchmarks.speed.limit import count_operations
from benchmarks.speed.workloads import SMALL, Shape, Workload

STEPS = 3
"""Number of steps of each size; the first one warms up."""
TOLERANCE = 0.1
"""How much an exponent may lie above the allowed one: the noise of a slope between two measurements."""
QUICK_SIZES = 2
"""Number of sizes along the first axis that a rehearsal measures."""

BASE = Workload("growth", 32, 64, 2, 4, SMALL)
SHAPES = (
    Shape(128, 4, 2, 1, 64, 384, 4096),
    SMALL,
    Shape(512, 8, 8, 4, 64, 1536, 4096),
    Shape(1024, 8, 16, 8, 64, 3072, 4096),
)


@dataclass(frozen=True, slots=True)
class Axis:
    """What grows, over which steps, and how one tells how large a step is."""

    name: str
    workloads: tuple[Workload, ...]
    size: Callable[[Workload], int]


AXES = (
    Axis(
        "group size",
        tuple(replace(BASE, num_generations=size) for size in (1, 4, 16, 64)),
        lambda workload: workload.num_generations,
    ),
    Axis(
        "prompt length",
        tuple(replace(BASE, prompt_length=size) for size in (32, 128, 512, 2048)),
        lambda workload: workload.prompt_length,
    ),
    Axis(
        "completion length",
        tuple(replace(BASE, max_completion_length=size) for size in (64, 256, 1024)),
        lambda workload: workload.max_completion_length,
    ),
    Axis(
        "model size",
        tuple(replace(BASE, max_completion_length=16, shape=shape) for shape in SHAPES),
        lambda workload: workload.shape.body + workload.shape.head,
    ),
)


@dataclass(frozen=True, slots=True)
class Growth:
    """Sizes along an axis with the seconds of a step, and the two exponents."""

    axis: Axis
    seconds: list[float]

    @property
    def sizes(self) -> list[int]:
        return [self.axis.size(workload) for workload in self.axis.workloads]

    @property
    def exponent(self) -> float:
        return measure_slope(self.sizes, self.seconds)

    @property
    def allowed(self) -> float:
        operations = [
            count_operations(each, each.attempts * each.max_completion_length).total for each in self.axis.workloads
        ]
        return measure_slope(self.sizes, operations)

    def make_figures(self) -> list[Figure]:
        """Return the exponent, and every point."""
        bound = self.allowed + TOLERANCE
        name = f"growth with {self.axis.name}"
        unit = f"exponent; the arithmetic allows {self.allowed:.2f}"
        return [
            Figure(f"{name}: exponent", self.exponent, None, unit, f"<= {bound:.2f}", self.exponent <= bound),
            *(
                Figure(f"{name}: {size:,}", seconds, None, "seconds a step")
                for size, seconds in zip(self.sizes, self.seconds, strict=True)
            ),
        ]


def measure_slope(sizes: list[int], values: list[float]) -> float:
    """Return the slope between the two largest sizes, both axes logarithmic."""
    return math.log(values[-1] / values[-2]) / math.log(sizes[-1] / sizes[-2])


def measure_step(workload: Workload) -> float:
    """Return the seconds of a step with completions that are all as long as the cap, in this process."""
    from benchmarks.speed import backsight, model  # they bring torch

    with tempfile.TemporaryDirectory() as folder:
        job = Job(workload, folder, STEPS)
        model.save_model(job)
        return median(backsight.run(job).step_times[1:])


def measure_growth(console: Console, is_quick: bool) -> list[Figure]:
    """Measure all axes, each in one fresh process, and print the table."""
    axes = [replace(AXES[0], workloads=AXES[0].workloads[:QUICK_SIZES])] if is_quick else AXES
    table = Table("growth with", "from", "to", "seconds a step", "exponent", "allowed")
    figures = []
    for axis in axes:
        growth = Growth(axis, run_child("growth", axis.name, str(len(axis.workloads)))["seconds"])
        figures += growth.make_figures()
        seconds = ", ".join(f"{each:.2f}" for each in growth.seconds)
        ends = (f"{growth.sizes[0]:,}", f"{growth.sizes[-1]:,}")
        table.add_row(axis.name, *ends, seconds, f"{growth.exponent:.2f}", f"{growth.allowed:.2f}")
    console.print(table)
    return figures


if __name__ == "__main__":
    (chosen,) = (axis for axis in AXES if axis.name == sys.argv[1])
    report({"seconds": [measure_step(workload) for workload in chosen.workloads[: int(sys.argv[2])]]})
