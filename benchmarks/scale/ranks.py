"""One rank against two: seconds of a step, memory of a rank, and whether both end in the same weights.

    python benchmarks/scale/ranks.py            SmolLM2-135M-Instruct, all weights in float32; three minutes on 2 cores
    python benchmarks/scale/ranks.py --quick    a tiny model; a minute, and nothing is written

The same three steps are done by one process and by two that torchrun starts (`backsight.distributed`), with one thread
each: products round differently with more. Memory is the most that a process had resident, with its libraries and
without them: without is what lies above an idle process that has imported torch. Of two ranks the larger one counts.
The weights are compared after three steps from gold answers. From attempts they part sooner or later: rounding changes
a token that was drawn, and with it what is learnt; how many attempts are the same is a row of its own. The results are
written to ``benchmarks/results/scale_ranks.json``.
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
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from rich.console import Console
from safetensors.torch import load_file

from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.small import make_byte_tokenizer, make_small_model
from backsight.policies.smollm2 import INSTALL, PACKAGE
from backsight.reports.run_folder import TRAJECTORIES, read_rows
from benchmarks.scale.rank import SAMPLED, TAUGHT
from benchmarks.shared.places import REPOSITORY
from benchmarks.shared.results import Figure, print_aims, write_results

RANKS = (1, 2)
TINY = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
CHILD = "benchmarks.scale.rank"
IDLE = "import resource, torch; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
MEMORY_AIM, WEIGHTS_AIM = 0.6, 0.01


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a run."""

    step_times: list[float]
    """Seconds of each step, on the first rank."""
    peak_gib: float
    """The most memory that one of its processes had resident."""
    weights: dict[str, torch.Tensor]
    """What was learnt from gold answers."""
    attempts: list[str]
    """What was answered, in order."""
    learning_rate: float


def main() -> None:
    """Measure both, and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tiny model; nothing is written")
    quick, console = parser.parse_args().quick, Console(width=None if sys.stdout.isatty() else 120)
    if not quick and find_spec(PACKAGE) is None:
        console.print(f"not measured: {PACKAGE} is not installed; {INSTALL}", style="red", markup=False)
        return
    with tempfile.TemporaryDirectory(prefix="ranks-") as folder:
        if quick:
            tokenizer = make_byte_tokenizer((), "$A")
            CausalLMPolicy(make_small_model(tokenizer, **TINY), tokenizer).save(Path(folder) / "model")
        policy = str(Path(folder) / "model") if quick else "smollm2"
        measured = {ranks: measure(ranks, policy, Path(folder) / f"on-{ranks}") for ranks in RANKS}
    figures = list(make_figures(measured, idle_gib()))
    if quick:
        console.print("a rehearsal: so small a model takes less memory than its libraries")
    for each in figures:
        console.print(f"{each.row}: {each.value:.4g} {each.unit}", highlight=False)
    print_aims(console, figures)
    if not quick:
        console.print(str(write_results("scale_ranks", [0], figures)), highlight=False)


def measure(ranks: int, policy: str, folder: Path) -> Measured:
    """Train on so many ranks, which share the cores, and return what each of them reported."""
    folder.mkdir()
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)] if ranks > 1 else []
    command = [sys.executable, *launcher, "-m", CHILD, policy, str(folder)]
    places = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": places}
    subprocess.run(command, cwd=folder, env=environment, check=True)
    reports = [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(ranks)]
    return Measured(
        step_times=reports[0]["step_times"],
        peak_gib=max(each["peak_gib"] for each in reports),
        weights=load_file(folder / TAUGHT / "policy" / "model.safetensors"),
        attempts=[row["completion"] for row in read_rows(folder / SAMPLED / TRAJECTORIES)],
        learning_rate=reports[0]["learning_rate"],
    )


def idle_gib() -> float:
    """Return the memory of a process that has imported torch, and does nothing."""
    done = subprocess.run([sys.executable, "-c", IDLE], capture_output=True, text=True, check=True)
    return int(done.stdout) / 2**20


def make_figures(measured: dict[int, Measured], idle: float) -> Iterator[Figure]:
    """Yield the figures of one and of several ranks, and of one against the other."""
    alone, both = measured[1], measured[2]
    for ranks, own in measured.items():
        yield Figure.of_repeats(f"a step, {ranks} ranks", own.step_times[1:], "s")
        yield Figure(f"peak memory of a rank, {ranks} ranks", own.peak_gib, None, "GiB")
    yield Figure("an idle process with torch", idle, None, "GiB")
    yield Figure("memory of a rank of 2 / of 1, with libraries", both.peak_gib / alone.peak_gib, None, "")
    without = (both.peak_gib - idle) / (alone.peak_gib - idle)
    yield Figure("memory of a rank of 2 / of 1, without libraries", without, None, "").hold_against("<=", MEMORY_AIM)
    same = sum(one == other for one, other in zip(alone.attempts, both.attempts, strict=True))
    yield Figure("attempts that are the same", same / len(alone.attempts), None, "of all")
    apart = torch.cat([(both.weights[name].double() - own.double()).flatten() for name, own in alone.weights.items()])
    distance = float(apart.square().mean().sqrt()) / alone.learning_rate
    yield Figure("distance of the weights from gold answers, in optimizer steps", distance, None, "").hold_against(
        "<=", WEIGHTS_AIM
    )


if __name__ == "__main__":
    main()
