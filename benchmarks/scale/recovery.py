"""What Ray costs a step, and what it takes to go on after a machine has died.

    python benchmarks/scale/recovery.py            ten kills of each kind; 20 minutes on 2 cores
    python benchmarks/scale/recovery.py --quick    one of each kind; five minutes, and nothing is written

Two ranks learn from attempts of a tiny model, on a cluster that Ray simulates on this machine: two machines of a CPU
each. The machine of a rank is killed in the midst of sampling, of learning, or of a checkpoint, in one step or
another, and a new one takes its place. Measured is the time from the kill until the step that was under way is in a
checkpoint, and whether the run ends in the same bits as one by torchrun, which nobody has disturbed. A step's cost is
compared between the ranks of torchrun and those of Ray, with one thread each. The results are written to
``benchmarks/results/scale_recovery.json``. It needs `pip install 'backsight[ray]'`.
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
import time
from collections.abc import Iterator

from rich.console import Console

from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.small import make_byte_tokenizer, make_small_model
from backsight.reports.run_folder import CHECKPOINTS, METRICS, read_rows
from backsight.training.checkpoints import checkpoints
from benchmarks.scale.simulated import LONGEST, MOMENTS, Cluster, Moment, kill_at
from benchmarks.shared.places import REPOSITORY
from benchmarks.shared.results import Figure, print_aims, write_results

TINY = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
KILLS, STEPS, TIMED_STEPS = 10, 4, 20
SETTINGS = [
    *("sentiment", "policy=model", "data=rows.jsonl", "hindsight=gold_anchor", "prompts_per_step=4", "eval_items=2"),
    *("num_generations=4", "max_completion_length=8", "learning_rate=1e-3"),
]
WEIGHTS = Path("policy") / "model.safetensors"
LABELS = ("positive", "negative")
LAUNCHER = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "backsight", "train"]


def main() -> None:
    """Measure, and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one kill of each kind; nothing is written")
    quick, console = parser.parse_args().quick, Console(width=None if sys.stdout.isatty() else 120)
    os.environ |= {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]),
    }
    with tempfile.TemporaryDirectory(prefix="recovery-") as folder:
        os.chdir(folder)
        make_kit()
        cluster = Cluster()
        try:
            figures = []
            for each in [*overhead(cluster), *recoveries(cluster, 1 if quick else KILLS, console)]:
                figures.append(each)
                console.print(f"{each.row}: {each.value:.4g} {each.unit}", highlight=False)
        finally:
            cluster.shutdown()
            os.chdir(REPOSITORY)
    print_aims(console, figures)
    if not quick:
        console.print(str(write_results("scale_recovery", [0], figures)), highlight=False)


def make_kit() -> None:
    """Make the model and the data, in this folder."""
    tokenizer = make_byte_tokenizer((), "$A")
    CausalLMPolicy(make_small_model(tokenizer, **TINY), tokenizer).save(Path("model"))
    rows = ({"text": f"t{each}", "label": LABELS[each % 2]} for each in range(40))
    Path("rows.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))


def overhead(cluster: Cluster) -> Iterator[Figure]:
    """Yield what a step takes by torchrun and by Ray, and the one over the other."""
    words = [*SETTINGS, f"stop.max_steps={TIMED_STEPS}"]
    run([*LAUNCHER, *words, "run_name=torchrun"])
    run(["-m", "backsight", "train", *words, "run_name=ray", *on(cluster)])
    middles = {}
    for name in ("torchrun", "ray"):
        times = [row["step_time"] for row in read_rows(Path("runs") / name / METRICS)][1:]
        middles[name] = sorted(times)[len(times) // 2]
        yield Figure.of_repeats(f"a step, 2 ranks by {name}", times, "s")
    yield Figure("a step by Ray over one by torchrun, in the middle", middles["ray"] / middles["torchrun"], None, "x")


def recoveries(cluster: Cluster, count: int, console: Console) -> Iterator[Figure]:
    """Kill machines at all moments, and yield how long the runs take to recover, and how many end in the same bits."""
    run([*LAUNCHER, *SETTINGS, f"stop.max_steps={STEPS}", "save_steps=1", "run_name=whole"])
    expected = (Path("runs") / "whole" / WEIGHTS).read_bytes()
    same, seconds = 0, dict[str, list[float]]()
    for number in range(count):
        for what in MOMENTS:
            step, rank = number % (STEPS - 1), number % 2
            spent, weights = recover(cluster, Moment(what, step, rank, Path(f"{what}-{number}").absolute()))
            console.print(
                f"{what}, rank {rank}, step {step}: {spent:.1f} s, {'same' if weights == expected else 'other'} weights"
            )
            seconds.setdefault(what, []).append(spent)
            same += weights == expected
    for what, own in seconds.items():
        yield Figure.of_repeats(f"recovery after a kill, {what}", own, "s")
    yield Figure("runs with the same weights", same / (count * len(MOMENTS)), None, "of all").hold_against(">=", 1.0)


def recover(cluster: Cluster, moment: Moment) -> tuple[float, bytes]:
    """Return the seconds from a kill until the step under way is in a checkpoint, and the weights in the end."""
    name = moment.reached.name
    place = ["-m", "benchmarks.scale.simulated", moment.what, str(moment.step), str(moment.rank), str(moment.reached)]
    words = ["train", *SETTINGS, f"stop.max_steps={STEPS}", "save_steps=1", f"run_name=run-{name}", *on(cluster)]
    folder = Path("runs") / f"run-{name}"
    with subprocess.Popen([sys.executable, *place, *words], stdout=subprocess.DEVNULL) as process:
        killed = kill_at(moment, cluster, process)
        while not any(each.name > f"step-{moment.step:06d}" for each in checkpoints(folder / CHECKPOINTS)):
            assert process.poll() in (None, 0) and time.time() < killed + LONGEST, f"{name} did not recover"
            time.sleep(0.1)
        spent = time.time() - killed
        assert process.wait() == 0
    return spent, (folder / WEIGHTS).read_bytes()


def run(words: list[str]) -> None:
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)


def on(cluster: Cluster) -> list[str]:
    return ["cluster=ray", "cluster.num_workers=2", f"cluster.address={cluster.address}"]


if __name__ == "__main__":
    main()
