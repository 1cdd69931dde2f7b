"""`backsight check`: it prints what was found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import tiny_policy

from backsight.config import RunConfig
from backsight.tasks.base import Task

Run = Callable[..., tuple[int, str, str]]
COMMAND = "check"


def test_it_prints_what_it_found(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[RunConfig] = []

    def check(config: RunConfig, task: Task) -> list[tuple[str, str]]:
        checked.append(config)
        return [("gold answers", "200 of 200"), ("log-probabilities", "agree to 1e-6")]

    monkeypatch.setattr("backsight.runs.check.check", check)
    code, out, _ = run("instructions", "seed=3")
    assert (code, out) == (0, "gold answers: 200 of 200\nlog-probabilities: agree to 1e-6\n")
    assert [(config.preset, config.seed) for config in checked] == [("instructions", 3)]


def test_bad_input_is_one_line_and_exit_code_2(run: Run) -> None:
    code, out, err = run("instructions", "seed=-1")
    assert (code, out) == (2, "")
    assert err.startswith("error: seed: -1: must be greater than or equal to 0")
    assert err.count("\n") == 1


def test_a_check_in_earnest(run: Run, tmp_path: Path) -> None:
    tiny_policy(words=("positive", "negative")).save(tmp_path / "model")
    labels = ("positive", "negative")
    rows = [json.dumps({"text": f"text {number}", "label": labels[number % 2]}) for number in range(60)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    code, out, err = run("sentiment", "data=rows.jsonl", "policy=model", "max_completion_length=3", "num_generations=2")
    assert (code, err) == (0, "")
    assert "score full marks" in out and "sampler and learner" in out
    assert not (tmp_path / "runs").exists()
