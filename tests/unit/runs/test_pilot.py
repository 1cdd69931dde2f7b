"""Pilots from run folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backsight.config import dump_config
from backsight.errors import DataError, RunFolderError
from backsight.presets.base import configure
from backsight.runs.pilot import look_ahead, pilot_of

CONFIG, _ = configure("sentiment", {"num_generations": 4, "prompts_per_step": 8, "data": "rows.jsonl"})


def evaluation(step: int, mean: float) -> dict[str, Any]:
    score = {"mean": mean, "low": mean - 0.02, "high": mean + 0.02, "count": 100}
    return {"step": step, "split": "test", "scores": {"reward": score}}


def write_run(folder: Path, evaluations: list[dict[str, Any]], metrics: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    (folder / "config.yaml").write_text(dump_config(CONFIG))
    for name, rows in (("evaluations", evaluations), ("metrics", metrics)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


METRICS = [{"step": step, "frac_examples_with_signal": 0.5, "success": 0.25} for step in range(1, 101)]


def test_attempts_and_those_that_taught_are_counted() -> None:
    pilot = pilot_of([evaluation(0, 0.1), evaluation(10, 0.2)], METRICS, CONFIG)
    assert pilot.attempts == (0.0, 320.0)
    assert pilot.taught == (0.0, 160.0)
    assert pilot.future_share == 0.5
    assert pilot.errors[0] == pytest.approx(0.04 / (2 * 1.959964))
    assert pilot.taught_at(640.0) == 320.0


def test_runs_that_do_not_say_which_rows_taught_say_which_groups_did() -> None:
    metrics = [{"step": 1, "frac_reward_zero_std": 0.75}]
    assert pilot_of([evaluation(0, 0.1), evaluation(1, 0.2)], metrics, CONFIG).taught == (0.0, 8.0)


def test_a_pilot_past_its_bend_says_how_far_it_goes(tmp_path: Path) -> None:
    scores = [0.1 + 0.6 / (1 + (20 / max(step, 1e-9)) ** 2) for step in range(0, 101, 5)]
    evaluations = [evaluation(5 * place, score) for place, score in enumerate(scores)]
    outlook = look_ahead(write_run(tmp_path / "run", evaluations, METRICS))
    lines = "\n".join(outlook.lines())
    assert "3,200 attempts, of which 50% taught something; test went from 0.100" in lines
    assert "the curve has bent; it approaches 0." in lines
    assert "used 25 times each" in lines and "4: 68%" in lines  # 1 - 0.25^4 - 0.75^4
    assert [each.attempts for each in outlook.forecasts] == [4800, 6400, 12_800, 25_600]
    assert json.dumps(outlook.as_dict())


def test_a_pilot_before_its_bend_says_how_long_it_would_have_to_be(tmp_path: Path) -> None:
    evaluations = [evaluation(5 * place, 0.1 + 0.004 * place) for place in range(11)]
    outlook = look_ahead(write_run(tmp_path / "run", evaluations, METRICS))
    assert "no point forecast" in "\n".join(outlook.lines())
    assert all(each.score is None for each in outlook.forecasts)


def test_bad_pilots_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"has no config\.yaml"):
        look_ahead(tmp_path)
    with pytest.raises(DataError, match="1 evaluation: a curve needs 5 or more"):
        look_ahead(write_run(tmp_path / "one", [evaluation(0, 0.1)], []))
    with pytest.raises(DataError, match="has no evaluations"):
        look_ahead(write_run(tmp_path / "none", [], METRICS))
