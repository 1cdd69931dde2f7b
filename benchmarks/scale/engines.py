"""The engine `vllm` against that of this process: tokens a second, agreement, and how long new weights take to arrive.

    python benchmarks/scale/engines.py --python /path/to/python           20 minutes on 2 cores
    python benchmarks/scale/engines.py --quick --python /path/to/python   the small model alone; nothing is written

`--python` is the Python in which vLLM is installed (docs/scale.md). All answers have 64 tokens; the prompts have eight
answers each. While one engine is measured, the other does nothing; what is told is the median of three rounds, and of
three transfers of weights. The share of a step is that of a run of SmolLM2 by the command line, without its first step.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # run as a script, `benchmarks` is a package of the repository

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence

import torch
from rich.console import Console

from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.opening import open_policy
from backsight.reports.run_folder import RunReader
from backsight.rollouts.base import Engine
from backsight.rollouts.engines import engine_for
from backsight.rollouts.vllm.engine import VllmEngine
from backsight.rollouts.vllm.options import VllmOptions
from backsight.rollouts.vllm.proof import differences
from backsight.runs.start import place_of_policy
from backsight.types import Observation, Sampling
from benchmarks.shared.results import Figure, print_aims, write_results

MODELS = {"pocket, 2 M": "pocket", "SmolLM2-135M": "smollm2"}
ROWS = (8, 64, 128)
SIBLINGS, ROUNDS, LENGTH = 8, 3, 64
SAMPLING = Sampling(max_completion_length=LENGTH, min_completion_length=LENGTH)
WORDS = ("--max-model-len=256", "--max-num-seqs=128")
SYNC_AIM = 0.1
"""Largest share of a step that the transfer of weights may take."""
RUN = ("instructions", "policy=smollm2", "hindsight=gold_anchor", "prompts_per_step=8", "max_completion_length=32")
STEPS = 4


def main() -> None:
    """Measure all models, and show the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the small model alone; nothing is written")
    parser.add_argument("--python", default=sys.executable, help="the Python in which vLLM is installed")
    arguments = parser.parse_args()
    figures, console = list[Figure](), Console(width=120)
    for each in all_figures(arguments.quick, arguments.python):
        console.print(f"{each.row}: {each.value:,.3g} {each.unit}")
        figures.append(each)
    print_aims(console, figures)
    if not arguments.quick:
        print(write_results("scale_engines", [0], figures))


def all_figures(quick: bool, python: str) -> Iterator[Figure]:
    """Yield all figures, each once it is there."""
    for name, place in list(MODELS.items())[: 1 if quick else None]:
        policy = open_policy(place_of_policy(place))
        assert isinstance(policy, CausalLMPolicy)
        yield from measure(name, policy, python)
    if not quick:
        yield share_of_step(python)


def measure(name: str, policy: CausalLMPolicy, python: str) -> Iterator[Figure]:
    """Yield the figures of a model."""
    own = {rows: tokens_per_second(engine_for(policy), rows) for rows in ROWS}
    options = VllmOptions(start=True, python=python, arguments=WORDS)
    engine = options.build(policy)
    assert isinstance(engine, VllmEngine)
    try:
        began = time.perf_counter()
        engine.load_weights(policy)
        yield Figure(f"{name}: start of a server", time.perf_counter() - began, None, "s")
        theirs = {rows: tokens_per_second(engine, rows) for rows in ROWS}
        seconds, differences = zip(*(transfer(engine, policy) for _ in range(ROUNDS)), strict=True)
    finally:
        assert engine.server is not None
        engine.server.stop()
    for rows in ROWS:
        yield Figure.of_repeats(f"{name}, {rows} rows: this process", own[rows], "tokens/s")
        yield Figure.of_repeats(f"{name}, {rows} rows: vLLM", theirs[rows], "tokens/s")
        ratio = Figure(
            f"{name}, {rows} rows: vLLM over this process", _middle(theirs[rows]) / _middle(own[rows]), None, "x"
        )
        yield ratio.hold_against(">=", 1.0) if rows >= 64 else ratio
    yield Figure.of_repeats(f"{name}: transfer of weights and its proof", seconds, "s")
    yield Figure.of_repeats(f"{name}: largest difference of log-probabilities", differences, "nats")


def tokens_per_second(engine: Engine, rows: int) -> list[float]:
    """Return the tokens a second of each round; a first one is left out."""
    prompts: list[Observation] = [
        f"Name a thing with {number % (rows // SIBLINGS) + 1} legs." for number in range(rows)
    ]
    rates = []
    for number in range(1 + ROUNDS):
        began = time.perf_counter()
        answers = dict(engine.act(prompts, SAMPLING, range(number * rows, (number + 1) * rows)))
        seconds = time.perf_counter() - began
        rates.append(sum(len(answer.value) for answer in answers.values()) / seconds)
    return rates[1:]


def transfer(engine: VllmEngine, policy: CausalLMPolicy) -> tuple[float, float]:
    """Change all weights a little; return the seconds until the server has proved that it has them, and how far off."""
    with torch.no_grad():
        for weight in policy.module.parameters():
            weight.mul_(1.001)
    began = time.perf_counter()
    engine.load_weights(policy)
    seconds = time.perf_counter() - began
    return seconds, largest_difference(engine, policy)


def largest_difference(engine: VllmEngine, policy: CausalLMPolicy) -> float:
    """Return how far the server's log-probabilities are from the learner's, over answers to a few prompts."""
    prompts = [f"Name a thing with {number} legs." for number in range(SIBLINGS)]
    answers = dict(engine.act(prompts, SAMPLING, range(len(prompts))))
    return float(differences(policy, prompts, [answers[index] for index in range(len(prompts))], SAMPLING).max())


def share_of_step(python: str) -> Figure:
    """Run a few steps of SmolLM2 by the command line, and return the share of a step that the transfer takes."""
    with tempfile.TemporaryDirectory() as folder:
        words = [*RUN, "engine=vllm", "engine.start=true", f"engine.python={python}", f"stop.max_steps={STEPS}"]
        words += [f"engine.arguments={json.dumps(WORDS)}", "eval_items=8", f"output_dir={folder}", "run_name=run"]
        subprocess.run([sys.executable, "-m", "backsight", "train", *words], check=True, stdout=subprocess.DEVNULL)
        rows = RunReader(Path(folder) / "run").metrics()[1:]
    shares = [row["time/sync"] / row["step_time"] for row in rows]
    return Figure.of_repeats("SmolLM2-135M: transfer, as a share of a step", shares, "").hold_against("<=", SYNC_AIM)


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    main()
