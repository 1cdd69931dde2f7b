"""`backsight plan`: what it prints, and bad input in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from backsight.config import RunConfig
from backsight.planning.memory import Memory, ModelSize
from backsight.planning.remedies import Remedy
from backsight.runs.plan import Plan

Run = Callable[..., tuple[int, str, str]]
COMMAND = "plan"

PLAN = Plan(
    how="measured in a rehearsal of the run",
    size=ModelSize(135_000_000, 135_000_000, 135_000_000, 30, 576, 49_152, 46_080),
    memory=Memory({"weights": 2**29, "activations and logits": 2**30, "decoding": 2**20}),
    peak=1.5 * 2**30,
    available=2.0**30,
    seconds={"decode": 3.0, "backward": 1.5},
    steps=200,
    ends_by="stop.max_steps",
    attempts=64,
    tokens=1000,
    evaluations=2,
    evaluation_seconds=30.0,
    disk={"checkpoints": 2.0e9, "policy": 5.4e8},
    remedies=[Remedy("micro_batch_size=256", "nothing but a little time", 2.0**29)],
    advice="micro_batch_size=256 would take about 0.5 GiB",
    notes=["8 of 16 rows taught something at the start"],
)


def test_it_prints_memory_time_disk_and_what_would_fit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[RunConfig, str | None]] = []

    def plan(config: RunConfig, machine: str | None) -> Plan:
        asked.append((config, machine))
        return PLAN

    monkeypatch.setattr("backsight.runs.plan.plan", plan)
    code, out, err = run("instructions", "seed=3", "--machine", "h100", "--json", "plan.json")
    assert (code, err) == (0, "")
    assert [(config.seed, machine) for config, machine in asked] == [(3, "h100")]
    assert "smollm2: 135.0 million weights, 135.0 million trained; measured in a rehearsal" in out
    assert "memory: 1.50 GiB at the peak of 1.00 GiB that there are" in out
    assert "it does not fit; micro_batch_size=256 would take about 0.5 GiB" in out
    assert "time: 4.50 s a step (decode 3.00, backward 1.50)" in out
    assert "16 min (stop.max_steps: 200 steps, 12,800 attempts, 200,000 tokens; 2 evaluations of 30 s)" in out
    assert "disk: 2.54 GB (checkpoints 2 GB, policy 540 MB)" in out
    assert "note: 8 of 16 rows taught something at the start" in out
    assert json.loads(Path("plan.json").read_text())["total_seconds"] == 960.0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("instructions", "--machine", "cray"), "machine: cray: known: "),
        (("instructions", "seed=-1"), "seed: -1: must be greater than or equal to 0"),
        (("--pilot", "nowhere"), "run folder: nowhere: has no config.yaml"),
        (("instructions", "--pilot", "nowhere"), "name a preset, or a finished run with --pilot"),
        ((), "name a preset, or a finished run with --pilot"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run: Run, words: tuple[str, ...], line: str) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert line in err and err.count("\n") == 1
