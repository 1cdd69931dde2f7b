"""How runs of several ranks end: by a signal, by an error of one rank, and before they begin."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from scale.launching import LONGEST, PATIENCE, environment, torchrun, train
from scale.test_same_run import rows_of

from backsight.training.checkpoints import newest_checkpoint

pytestmark = pytest.mark.timeout(PATIENCE)

FAILING = Path(__file__).with_name("failing.py")
SETTINGS = [
    *("sentiment", "policy=llama", "data=rows.jsonl", "hindsight=gold_anchor", "prompts_per_step=3"),
    *("num_generations=2", "max_completion_length=3", "eval_items=2"),
]


def start(kit: Path, name: str, *words: str) -> subprocess.Popen[str]:
    """Start a run that would go on for long, on two ranks."""
    command = torchrun(
        2, *(words or ("-m", "backsight")), "train", *SETTINGS, f"run_name={name}", "stop.max_steps=9999"
    )
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=kit, env=environment(), stdout=pipe, stderr=pipe, text=True)


def wait_for_steps(run: Path, count: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + LONGEST
    while not (run / "metrics.jsonl").exists() or len(rows_of(run / "metrics.jsonl")) < count:
        assert time.monotonic() < until and process.poll() is None, process.stderr and process.stderr.read()[-3000:]
        time.sleep(0.1)


def pid_of(rank: int, launcher: subprocess.Popen[str]) -> int:
    """Return the process of a rank, which the launcher has started."""
    for children in Path(f"/proc/{launcher.pid}/task").glob("*/children"):
        for child in children.read_text().split():
            if f"RANK={rank}" in Path(f"/proc/{child}/environ").read_text().split("\0"):
                return int(child)
    raise AssertionError(f"no rank {rank}")


def errors(stderr: str) -> list[str]:
    return re.findall(r"^error: .*", stderr, re.MULTILINE)


@pytest.mark.parametrize("whom", ["rank 0", "rank 1", "launcher"])
def test_a_signal_to_one_rank_ends_all_after_the_same_step(whom: str, kit: Path) -> None:
    process = start(kit, f"ended by {whom}")
    run = kit / "runs" / f"ended by {whom}"
    wait_for_steps(run, 2, process)
    os.kill(process.pid if whom == "launcher" else pid_of(int(whom[-1]), process), signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=LONGEST)
    assert stdout.count("interrupted and saved") == 1
    assert errors(stderr) == []
    steps = [row["step"] for row in rows_of(run / "metrics.jsonl")]
    assert steps == list(range(1, len(steps) + 1))
    assert newest_checkpoint(run / "checkpoints").name == f"step-{steps[-1]:06d}"
    assert (run / "policy" / "model.safetensors").is_file()


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_of_one_rank_ends_all_with_its_line(rank: int, kit: Path) -> None:
    process = start(kit, f"failed on {rank}", str(FAILING), str(rank))
    stdout, stderr = process.communicate(timeout=LONGEST)
    assert errors(stderr) == ["error: judge: down: mend it"]
    assert "Traceback" not in stderr.partition("ChildFailedError")[0].partition("torch/distributed")[0]
    assert process.returncode != 0


def test_a_rank_that_is_killed_ends_all(kit: Path) -> None:
    process = start(kit, "killed")
    wait_for_steps(kit / "runs" / "killed", 1, process)
    os.kill(pid_of(1, process), signal.SIGKILL)
    _, stderr = process.communicate(timeout=LONGEST)
    assert len(errors(stderr)) <= 1
    assert all("another rank has ended" in line for line in errors(stderr))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("learning_rte=1",), "error: learning_rte: 1: unknown; did you mean 'learning_rate'?"),
        (("policy=nowhere/at/all",), "error: policy: nowhere/at/all: no such folder"),
    ],
)
def test_a_run_that_cannot_begin_says_so_once(words: tuple[str, ...], line: str, kit: Path) -> None:
    done = train(2, kit, *SETTINGS, "stop.max_steps=1", *words)
    assert done.returncode != 0
    assert [each[: len(line)] for each in errors(done.stderr)] == [line]


def test_other_commands_are_done_by_one_process(kit: Path) -> None:
    command = torchrun(2, "-m", "backsight", "evaluate", "llama", "sentiment")
    done = subprocess.run(
        command, cwd=kit, env=environment(), capture_output=True, text=True, timeout=LONGEST, check=False
    )
    expected = "error: torchrun: 2 ranks: backsight evaluate is done by one process; leave out torchrun"
    assert errors(done.stderr) == [expected]
