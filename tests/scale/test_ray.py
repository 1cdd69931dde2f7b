"""Runs on a cluster of Ray's, whose machines are simulated on this one: two of a CPU each, one of which is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from benchmarks.scale.simulated import MOMENTS, Cluster, Moment, kill_at
from scale.launching import LONGEST, PATIENCE, environment, train
from scale.test_endings import errors, wait_for_steps
from scale.test_same_run import rows_of

from backsight.cluster.launch import INSTALL
from backsight.cluster.options import ClusterConfig
from backsight.errors import RankError

pytestmark = [
    pytest.mark.timeout(PATIENCE),
    pytest.mark.skipif(find_spec("ray") is None, reason=f"Ray is not installed; {INSTALL}"),
]

SETTINGS = [
    *("sentiment", "policy=llama", "data=rows.jsonl", "hindsight=gold_anchor", "prompts_per_step=3", "save_steps=1"),
    *("num_generations=2", "max_completion_length=3", "eval_items=2", "learning_rate=1e-3", "stop.max_steps=3"),
]
WEIGHTS = Path("policy") / "model.safetensors"
JUDGING = Path(__file__).with_name("judging.py")
MARK = "BACKSIGHT_TEST_OF_RAY"
"""Variable of the environment that all processes have which a test has started."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment().items():  # which the machines get
            patch.setenv(name, value)
        made = Cluster()
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def by_torchrun(kit: Path) -> Path:
    """The folder of the run that no cluster has seen."""
    done = train(2, kit, *SETTINGS, "run_name=torchrun")
    assert done.returncode == 0, done.stderr[-3000:]
    return kit / "runs" / "torchrun"


def words_of(name: str, *words: str) -> list[str]:
    return ["train", *SETTINGS, f"run_name={name}", "cluster=ray", *words]


def run(kit: Path, name: str, *words: str, module: str = "backsight", **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *words_of(name, *words)]
    return subprocess.run(
        command, cwd=kit, env=environment(**more), capture_output=True, text=True, timeout=LONGEST, check=False
    )


def on(cluster: Cluster, ranks: int = 2) -> list[str]:
    return [f"cluster.address={cluster.address}", f"cluster.num_workers={ranks}"]


def printed(text: str) -> list[str]:
    """Return the lines of an output without what depends on the clock or the name of the run."""
    return [re.sub(r"\s+", " ", each) for each in text.splitlines() if not each.startswith(("time:", "run folder:"))]


def test_a_run_is_the_same_on_a_cluster(kit: Path, cluster: Cluster, by_torchrun: Path) -> None:
    done = run(kit, "placed", *on(cluster))
    assert (done.returncode, done.stderr) == (0, "")
    folder = kit / "runs" / "placed"
    assert (folder / WEIGHTS).read_bytes() == (by_torchrun / WEIGHTS).read_bytes()
    assert sorted(os.listdir(folder)) == sorted(os.listdir(by_torchrun))
    for name in ("trajectories.jsonl", "messages.jsonl", "evaluations.jsonl"):
        assert rows_of(folder / name) == rows_of(by_torchrun / name)
    lines = printed(done.stdout)
    assert lines[-1] == "stopped: max_steps=3 reached" and any("test: reward" in each for each in lines)
    assert not [each for each in lines if "ray" in each.lower()]


@pytest.mark.parametrize(("what", "rank"), list(zip(MOMENTS, (1, 0, 0), strict=True)))
def test_a_machine_that_dies_changes_nothing(
    what: str, rank: int, kit: Path, cluster: Cluster, by_torchrun: Path, tmp_path: Path
) -> None:
    moment = Moment(what, 1, rank, tmp_path / "reached")
    command = [sys.executable, "-m", "benchmarks.scale.simulated", what, "1", str(rank), str(moment.reached)]
    with subprocess.Popen(
        [*command, *words_of(what, *on(cluster))],
        cwd=kit,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        kill_at(moment, cluster, process)
        stdout, stderr = process.communicate(timeout=LONGEST)
    assert (process.returncode, stderr) == (0, "")
    assert "ranks were lost; the run goes on from its newest checkpoint" in stdout
    folder = kit / "runs" / what
    assert (folder / WEIGHTS).read_bytes() == (by_torchrun / WEIGHTS).read_bytes()
    assert rows_of(folder / "trajectories.jsonl") == rows_of(by_torchrun / "trajectories.jsonl")
    assert [row["step"] for row in rows_of(folder / "metrics.jsonl")] == [1, 2, 3]


def test_reward_functions_and_environments_are_placed(kit: Path, cluster: Cluster, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(JUDGING), cluster.address],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen: dict[str, Any] = json.loads(done.stdout)
    assert seen["lengths"] == [1.0, 3.0, 2.0]
    assert [each.partition(" by ")[0] for each in seen["texts"]] == ["a", "bbb", "cc"]
    assert str(seen["rank"]) not in {each.partition(" by ")[2] for each in seen["texts"]}
    assert seen["retried"] == 0.0 and seen["reborn"] == 0.0
    remedy = "mend the function, or let it return None where it does not apply"
    assert seen["raises"] == f"reward function 'raises': raised LookupError: no such word: {remedy}"
    assert seen["hangs"] == "reward function 'hangs': hangs: gave no answer in 0.5 s; mend it, or raise reward_timeout"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("cluster.num_workers=3",),
            "error: cluster.num_workers: 3: there is room for 2 with 1 CPUs each (the CPUs of the machines are",
        ),
        (("policy=nowhere/at/all",), "error: policy: nowhere/at/all: no such folder"),
    ],
)
def test_what_cannot_run_ends_in_one_line(words: tuple[str, ...], line: str, kit: Path, cluster: Cluster) -> None:
    done = run(kit, "refused", *on(cluster), *words)
    assert done.returncode == 2 and done.stdout == ""
    assert [each[: len(line)] for each in done.stderr.splitlines()] == [line]
    assert not (kit / "runs" / "refused").exists()


def test_the_last_loss_is_told_as_a_loss_and_a_fault_as_a_fault() -> None:
    import ray.exceptions
    from ray.train import ControllerError, WorkerGroupError

    from backsight.cluster.on_ray import _cause

    options, fault = ClusterConfig(num_workers=2, max_failures=1), KeyError("no such key")
    lost: dict[int, Exception] = {0: RankError("ranks", 2, "another rank has ended"), 1: ray.exceptions.RayActorError()}
    told = _cause(WorkerGroupError("lost", lost), options)
    assert str(told).startswith("cluster.max_failures: 1: ranks were lost once more than that; the run goes on")
    assert _cause(WorkerGroupError("a fault", {**lost, 2: fault}), options) is fault
    assert _cause(ControllerError(fault), options) is fault


def marked(mark: str) -> list[str]:
    """Return the commands of all processes that live and have a mark in their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (place / "environ").read_bytes():
                found.append((place / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found by their environment in /proc")
def test_a_signal_saves_the_run_and_leaves_no_process(kit: Path) -> None:
    mark = str(os.getpid())
    process = subprocess.Popen(
        [sys.executable, "-m", "backsight", *words_of("interrupted", "stop.max_steps=9999")],
        cwd=kit,
        env=environment(**{MARK: mark}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    folder = kit / "runs" / "interrupted"
    wait_for_steps(folder, 2, process)
    assert any("raylet" in each for each in marked(mark))
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=LONGEST)
    assert process.returncode == 130 and errors(stderr) == []
    assert "interrupted and saved; go on with: backsight train --resume runs/interrupted" in stdout
    assert (folder / WEIGHTS).is_file()
    until = time.monotonic() + LONGEST / 10
    while (left := marked(mark)) and time.monotonic() < until:
        time.sleep(0.2)
    assert left == []
