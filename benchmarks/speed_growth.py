"""How the time of a step grows with what is asked of it, beside the growth that the arithmetic allows.

    python benchmarks/speed_growth.py [--quick]

Along each axis one number grows and the others stay. The exponent is the slope between the two largest sizes, both
axes logarithmic: 1 where twice as much takes twice as long. What the arithmetic allows is the same slope for the
floating-point operations of the same steps, with a prompt counted once a group.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

from results_file import Figure
from rich.console import Console
from rich.table import Table
from speed_children import Job, report, run_script
from speed_limit import arithmetic
from speed_workloads import SMALL, Shape, Workload

STEPS = 3
"""The first one warms up."""
TOLERANCE = 0.1
"""How much an exponent may lie above the allowed one: the noise of a slope between two measurements."""

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
    sizes: list[int]
    seconds: list[float]
    operations: list[float]

    @property
    def exponent(self) -> float:
        return slope(self.sizes, self.seconds)

    @property
    def allowed(self) -> float:
        return slope(self.sizes, self.operations)

    def figures(self) -> list[Figure]:
        """The exponent, and every point."""
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


def slope(sizes: list[int], values: list[float]) -> float:
    """Between the two largest sizes, both axes logarithmic."""
    return math.log(values[-1] / values[-2]) / math.log(sizes[-1] / sizes[-2])


def chosen(is_quick: bool) -> list[Axis]:
    """All axes; or the two smallest sizes along one."""
    return [replace(AXES[0], workloads=AXES[0].workloads[:2])] if is_quick else list(AXES)


def step_seconds(workload: Workload) -> float:
    """Of a step with completions that are all as long as the cap, in this process."""
    import speed_backsight
    import speed_model

    with tempfile.TemporaryDirectory() as folder:
        job = Job(workload, folder, STEPS)
        speed_model.build(job)
        return median(speed_backsight.run(job).step_times[1:])


def grow(axis: Axis, is_quick: bool) -> Growth:
    """All sizes along an axis, in one fresh process."""
    options = ["--quick"] if is_quick else []
    answer = run_script("speed_growth.py", "--axis", axis.name, *options)
    return Growth(
        axis,
        [axis.size(workload) for workload in axis.workloads],
        answer["seconds"],
        [arithmetic(workload, workload.attempts * workload.max_completion_length).total for workload in axis.workloads],
    )


def growth_figures(console: Console, is_quick: bool) -> list[Figure]:
    """Measure all axes and print the table."""
    table = Table("growth with", "from", "to", "seconds a step", "exponent", "allowed")
    figures = []
    for axis in chosen(is_quick):
        growth = grow(axis, is_quick)
        figures += growth.figures()
        seconds = ", ".join(f"{each:.2f}" for each in growth.seconds)
        ends = (f"{growth.sizes[0]:,}", f"{growth.sizes[-1]:,}")
        table.add_row(axis.name, *ends, seconds, f"{growth.exponent:.2f}", f"{growth.allowed:.2f}")
    console.print(table)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two sizes along one axis")
    parser.add_argument("--axis", choices=[axis.name for axis in AXES], help="print the seconds of one axis as JSON")
    arguments = parser.parse_args()
    if arguments.axis is None:
        growth_figures(Console(), arguments.quick)
        return
    axis = next(axis for axis in chosen(arguments.quick) if axis.name == arguments.axis)
    report({"seconds": [step_seconds(workload) for workload in axis.workloads]})


if __name__ == "__main__":
    main()
