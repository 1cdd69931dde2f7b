"""What traces cost: the same run with them and without, in turn, each in a process of its own.

    python benchmarks/traces/run.py              about 10 minutes on 2 cores
    python benchmarks/traces/run.py --quick      one short pair of the pocket model; nothing is written

Both runs of a pair make the same attempts and end in the same weights. What is compared is the time of all steps.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # run as a script, `benchmarks` is a package of the repository

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console

from backsight.reports.run_folder import RunReader
from benchmarks.shared.places import DATA
from benchmarks.shared.results import Figure, print_aims, write_results

AIM = 1.02
"""Largest median of a run's time with traces, over that without."""
POLARITY = DATA / "sentiment" / "sentence_polarity"


@dataclass(frozen=True, slots=True)
class Case:
    """A run that is made with traces and without."""

    name: str
    words: tuple[str, ...]
    pairs: int


POCKET = Case("pocket, sentiment", ("sentiment", "policy=pocket", "stop.max_steps=25"), 5)
REAL = (
    *("sentiment", "policy=smollm2", f"data={POLARITY / 'train.jsonl.gz'}", f"eval_data={POLARITY / 'test.jsonl.gz'}"),
    *("prompts_per_step=8", "stop.max_steps=8", "learning_rate=3e-5"),
)
CASES = (POCKET, Case("SmolLM2, sentiment", REAL, 3))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short pair of the pocket model; nothing is written")
    arguments = parser.parse_args()
    cases = [Case(POCKET.name, (*POCKET.words[:2], "stop.max_steps=3"), 1)] if arguments.quick else CASES
    figures = [figure for case in cases for figure in compare(case)]
    print_aims(Console(width=120), figures)
    if not arguments.quick:
        print(write_results("traces", [0], figures))


def compare(case: Case) -> Iterator[Figure]:
    """Yield what traces cost a run, in time and on the disk."""
    ratios, sizes = [], []
    for number in range(case.pairs):
        with tempfile.TemporaryDirectory() as folder:
            order = ("off", "sampled") if number % 2 == 0 else ("sampled", "off")
            runs = {how: train(case, how, Path(folder)) for how in order}
            seconds = {how: sum(row["step_time"] for row in run.metrics()) for how, run in runs.items()}
            weights = {(run.policy / "model.safetensors").read_bytes() for run in runs.values()}
            assert len(weights) == 1, "traces have changed what was learnt"
            ratios.append(seconds["sampled"] / seconds["off"])
            traces = runs["sampled"].traces
            sizes.append(traces.size() / len(traces.steps()))
            print(f"{case.name}: {seconds}, {len(traces.steps())} steps traced", flush=True)
    yield Figure.of_repeats(f"{case.name}: time with traces", ratios, "of that without").hold_against("<=", AIM)
    yield Figure.of_repeats(f"{case.name}: traces of a step", [size / 1000 for size in sizes], "kB")


def train(case: Case, how: str, folder: Path) -> RunReader:
    """Train in a process of its own, and return its run folder."""
    words = [*case.words, "eval_items=20", f"trace={how}", f"output_dir={folder}", f"run_name={how}"]
    subprocess.run([sys.executable, "-m", "backsight", "train", *words], check=True, stdout=subprocess.DEVNULL)
    return RunReader(folder / how)


if __name__ == "__main__":
    main()
