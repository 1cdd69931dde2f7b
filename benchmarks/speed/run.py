"""The speed benchmark: steps of backsight against steps of TRL on the same models, and CartPole against PPO.

    python benchmarks/speed/run.py [--quick] [--model small|smollm2] [--device cpu|cuda] [--only ROW ...]

Both libraries take the same folder with a small model in the likeness of Qwen3, the same prompts and the same reward
function; they run in turn, each in a fresh process. A step samples all its attempts and makes one optimizer step. What
is reported is the median over the pairs of the ratio within a pair, with the lowest and highest, and the share that
backsight reaches of the limit: the arithmetic of a step at the rate at which this machine multiplies matrices of the
model's shapes. With ``--model smollm2`` it is a pretrained model, all of whose weights are trained, or an adapter. The
results go to ``benchmarks/results/speed.json`` and ``docs/results/speed.png``, those of SmolLM2 and of an accelerator
to files with ``_smollm2`` and ``_cuda`` in their names.

Other trainers were considered, with the releases of late 2026: verl, OpenRLHF, AReaL and SkyRL drive vLLM or SGLang
through Ray on accelerators, and the first two pin other versions of transformers than this one. torchtune's GRPO is a
recipe for several accelerators, ms-swift needs a TRL below 1.0, and TorchRL ships the parts of such a loop rather than
a trainer that takes a model folder, so that its speed would be that of our own assembly.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # instead of this folder, whose trl.py would hide the library

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec

from rich.console import Console
from rich.table import Table

from backsight.policies.smollm2 import INSTALL, PACKAGE
from benchmarks.shared.places import PICTURES, RESULTS
from benchmarks.shared.results import Figure, read_results, write_results
from benchmarks.speed.children import ChildFailed
from benchmarks.speed.classic import compare_classic
from benchmarks.speed.comparison import Comparison, Plan, compare
from benchmarks.speed.growth import measure_growth
from benchmarks.speed.picture import draw
from benchmarks.speed.workloads import CPU_WORKLOADS, CUDA_WORKLOADS, SMOLLM2_WORKLOADS, Workload

CLASSIC, GROWTH, WHOLE = "classic", "growth", "the whole run"
PAIRS, STEPS, WARM_UP = 5, 3, 1
SMOLLM2_PAIRS = 1
"""A pair of the pretrained model takes minutes."""
CLASSIC_STEPS, QUICK_CLASSIC_STEPS = 300_000, 4_000
QUICK_SHARE = 4
"""A rehearsal has so many times fewer prompts in a step."""


def main() -> None:
    arguments, console, started = (
        read_arguments(),
        Console(width=None if sys.stdout.isatty() else 120),
        time.monotonic(),
    )
    is_small, on_cpu = arguments.model == "small", arguments.device == "cpu"
    if not is_small and find_spec(PACKAGE) is None:
        console.print(f"not measured: {PACKAGE} is not installed; {INSTALL}", style="red", markup=False)
        return
    pairs = 1 if arguments.quick else PAIRS if is_small else SMOLLM2_PAIRS
    plan = Plan(pairs, 2 if arguments.quick else STEPS, WARM_UP, arguments.device)
    workloads, names = choose_rows(arguments.model, arguments.device)
    rows = arguments.only or names
    share = QUICK_SHARE if arguments.quick else 1
    selected = [
        replace(workload, prompts_per_step=max(1, workload.prompts_per_step // share))
        for workload in workloads
        if workload.name in rows
    ]
    folder = Path(tempfile.mkdtemp(prefix="speed-")) if arguments.quick else RESULTS
    name = "speed" + ("" if is_small else "_smollm2") + ("" if on_cpu else "_cuda")
    command = "python benchmarks/speed/run.py" + ("" if is_small else " --model smollm2")
    command += "" if on_cpu else " --device cuda"
    figures: dict[str, Figure] = {}
    if arguments.only and not arguments.quick:  # rows that are not measured again stay as they were
        figures = {each.row: each for each in read_results(name)}
        command += f"; then --only {' '.join(arguments.only)}"

    def keep(new: Sequence[Figure]) -> Path:
        """Write what there is so far, so that a run that is cut off leaves what it measured."""
        figures.update({each.row: each for each in new})
        if not arguments.only:
            minutes = (time.monotonic() - started) / 60
            figures[WHOLE] = Figure(WHOLE, minutes, None, "minutes")
        return write_results(name, list(range(pairs)), list(figures.values()), folder, command)

    if arguments.quick:
        console.print(f"a rehearsal with 1/{QUICK_SHARE} of the prompts in a step; the aims are for all of them")
    comparisons = []
    for comparison in compare_all(console, selected, plan):
        comparisons.append(comparison)
        keep(comparison.make_figures())
    if comparisons:
        print_comparisons(console, comparisons)
    if CLASSIC in rows:
        keep(compare_classic(console, pairs, QUICK_CLASSIC_STEPS if arguments.quick else CLASSIC_STEPS))
    if GROWTH in rows:
        keep(measure_growth(console, arguments.quick))
    console.print(str(keep([])), highlight=False)
    picture = (folder if arguments.quick else PICTURES) / f"{name}.png"
    draw(list(figures.values()), picture)
    console.print(str(picture), highlight=False)


def choose_rows(model: str, device: str) -> tuple[Sequence[Workload], list[str]]:
    """Return the workloads of a model on a device, and the names of all rows that can be measured there."""
    if model == "smollm2":
        workloads, others = SMOLLM2_WORKLOADS, []
    elif device == "cuda":
        workloads, others = CUDA_WORKLOADS, []
    else:
        workloads, others = CPU_WORKLOADS, [CLASSIC, GROWTH]
    return workloads, [*(workload.name for workload in workloads), *others]


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="one pair, smaller steps; nothing in the repository changes"
    )
    parser.add_argument("--model", choices=["small", "smollm2"], default="small")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--only", nargs="+", metavar="ROW", help="measure these again")
    arguments = parser.parse_args()
    _, names = choose_rows(arguments.model, arguments.device)
    if unknown := [row for row in arguments.only or () if row not in names]:
        parser.error(f"--only {unknown[0]}: unknown; there are: {'; '.join(names)}")
    return arguments


def compare_all(console: Console, workloads: Sequence[Workload], plan: Plan) -> Iterator[Comparison]:
    """Compare on each workload in turn; one that fails is named and left out."""
    for workload in workloads:
        started = time.monotonic()
        try:
            comparison = compare(workload, plan)
        except ChildFailed as error:
            console.print(f"{workload.name}: not measured. {error}", style="red", markup=False)
            continue
        console.print(f"{workload.name}: {time.monotonic() - started:.0f} s")
        yield comparison


def print_comparisons(console: Console, comparisons: Sequence[Comparison]) -> None:
    """Print the ratios with their aims, and where backsight's time goes."""
    table = Table("workload", "backsight", "TRL", "speed", "pairs", "aim", "memory", "pairs", "aim", "limit")
    for each in comparisons:
        figures = {figure.row.removeprefix(f"{each.workload.name}: "): figure for figure in each.make_figures()}
        table.add_row(
            each.workload.name,
            f"{figures['step, backsight'].value:.2f} s",
            f"{figures['step, TRL'].value:.2f} s",
            *_write_with_aim(figures["speed"], "×"),
            *_write_with_aim(figures["peak memory"], ""),
            f"{figures['share of the limit'].value:.0%}",
        )
    console.print(table)
    for each in comparisons:
        parts = ", ".join(f"{part} {seconds:.3f}" for part, seconds in each.profile.items())
        console.print(f"{each.workload.name}, seconds of a step: {parts or 'no profile'}", highlight=False)
        if not each.same_work.holds:
            console.print(f"{each.workload.name}: the work differed by {each.same_work.value:.0%}", style="yellow")


def _write_with_aim(figure: Figure, sign: str) -> tuple[str, str, str]:
    low, high = figure.interval or (figure.value, figure.value)
    colour = "green" if figure.holds else "red"
    return f"[{colour}]{figure.value:.2f}{sign}[/]", f"{low:.2f}–{high:.2f}", str(figure.aim)


if __name__ == "__main__":
    main()
