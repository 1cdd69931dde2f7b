"""What it brings to sample ahead: seconds of a step, and how far the policy is from the one that sampled.

    python benchmarks/scale/staleness.py --python /path/to/python           three quarters of an hour on 2 cores
    python benchmarks/scale/staleness.py --quick --python /path/to/python   a few steps; nothing is written

`--python` is the Python in which vLLM is installed (docs/scale.md). SmolLM2-135M-Instruct learns in this process, a
vLLM server samples for it, and each of them has one thread: two halves with hardware of their own. The runs differ in
`max_staleness` alone, and are made in turn; what is told leaves out the first steps, which nothing was ahead of.
The results are written to ``benchmarks/results/scale_staleness.json``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # run as a script, `benchmarks` is a package of the repository

import argparse
import json
import os
import subprocess
import tempfile
from collections import defaultdict
from statistics import median

from rich.console import Console

from backsight.reports.run_folder import RunReader
from backsight.training.agreement import MEAN
from benchmarks.shared.results import Figure, write_results

STALENESS = (0, 1, 2)
ROUNDS = 2
WORDS = ("instructions", "policy=smollm2", "hindsight=gold_anchor", "loss_type=tis", "learning_rate=1e-5")
SIZES = ("prompts_per_step=4", "num_generations=8", "max_completion_length=64", "eval_items=8", "trace=off")
SERVER = ("--max-model-len=512", "--max-num-seqs=64")


def main() -> None:
    """Make the runs, and show what a step takes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short run of each; nothing is written")
    parser.add_argument("--python", default=sys.executable, help="the Python in which vLLM is installed")
    arguments = parser.parse_args()
    seconds, distances = defaultdict[int, list[float]](list), defaultdict[int, list[float]](list)
    for _ in range(1 if arguments.quick else ROUNDS):
        for staleness in STALENESS:
            rows = run(staleness, 4 if arguments.quick else 10, arguments.python)
            seconds[staleness] += [row["step_time"] for row in rows]
            distances[staleness] += [row[MEAN] for row in rows]
    figures = []
    for staleness in STALENESS:
        name = f"max_staleness={staleness}"
        figures.append(Figure.of_repeats(f"{name}: a step", seconds[staleness], "s"))
        ratio = median(seconds[staleness]) / median(seconds[0])
        figures.append(Figure(f"{name}: a step, over one of max_staleness=0", ratio, None, ""))
        figures.append(Figure.of_repeats(f"{name}: mean difference of log-probabilities", distances[staleness], "nats"))
    console = Console(width=120)
    for each in figures:
        console.print(f"{each.row}: {each.value:,.3g} {each.unit}", highlight=False)
    if not arguments.quick:
        console.print(str(write_results("scale_staleness", [0], figures)), highlight=False)


def run(staleness: int, steps: int, python: str) -> list[dict[str, float]]:
    """Train with a server of its own, and return the metrics of the steps that others were ahead of."""
    with tempfile.TemporaryDirectory() as folder:
        server = ("engine=vllm", "engine.start=true", f"engine.python={python}")
        ends = (f"engine.arguments={json.dumps(SERVER)}", f"stop.max_steps={steps + staleness}")
        own = (f"max_staleness={staleness}", f"output_dir={folder}", "run_name=run")
        command = [sys.executable, "-m", "backsight", "train", *WORDS, *SIZES, *server, *ends, *own]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        return RunReader(Path(folder) / "run").metrics()[1 + staleness :]


if __name__ == "__main__":
    main()
