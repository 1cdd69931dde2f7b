"""`backsight train`: what it runs, what it prints, and how it ends. What it calls is replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from backsight.config import RunConfig, dump_config
from backsight.errors import DataError
from backsight.evaluation.evaluator import Scores
from backsight.evaluation.statistics import Estimate
from backsight.presets.base import find_preset
from backsight.tasks.base import Task

Run = Callable[..., tuple[int, str, str]]
COMMAND = "train"

SCORES = {"test": Scores(Estimate(0.25, 0.2, 0.3, 100), {"label": Estimate(0.75, 0.7, 0.8, 100)}, ())}


@dataclass
class Finished:
    """As much of a `Result` as the command line looks at."""

    interrupted: bool = False
    folder: Path = Path("runs/toy")
    stop_reason: str = "max_steps=1 reached"
    before: dict[str, Scores] = field(default_factory=lambda: SCORES)
    after: dict[str, Scores] = field(default_factory=lambda: SCORES)
    notes: tuple[str, ...] = ()


class Spies:
    """Stand for what starts and ends a run, and note what they were called with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, end: Finished | BaseException) -> None:
        self.end = end
        self.begun: list[tuple[RunConfig, Task]] = []
        self.resumed: list[tuple[RunConfig, Path]] = []
        monkeypatch.setattr("backsight.runs.start.begin", self.begin)
        monkeypatch.setattr("backsight.runs.finetune.train", self.train)
        monkeypatch.setattr("backsight.runs.finetune.resume", self.resume)

    def begin(self, config: RunConfig, task: Task) -> Any:
        self.begun.append((config, task))
        return "the parts"

    def train(self, parts: Any) -> Finished:
        assert parts == "the parts"
        return self._ended()

    def resume(self, config: RunConfig, folder: Path) -> Finished:
        self.resumed.append((config, folder))
        return self._ended()

    def _ended(self) -> Finished:
        if isinstance(self.end, BaseException):
            raise self.end
        return self.end


def test_it_runs_the_merged_settings(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spies = Spies(monkeypatch, Finished())
    (tmp_path / "a.yaml").write_text("seed: 7\nnum_generations: 4\n")
    code, out, _ = run("instructions", "num_generations=2", "--config", str(tmp_path / "a.yaml"))
    assert code == 0
    ((config, task),) = spies.begun
    assert (config.preset, config.seed, config.num_generations) == ("instructions", 7, 2)
    assert task.name == "instructions" and spies.resumed == []
    assert "max_steps=1 reached" in out and "runs/toy" in out
    assert "0.750 (0.700–0.800)" in out


def test_dry_run_prints_yaml_and_runs_nothing(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spies = Spies(monkeypatch, Finished())
    code, out, err = run("instructions", "policy=pocket", "hindsight=relabel", "--dry-run")
    assert (code, err, spies.begun, spies.resumed, list(tmp_path.iterdir())) == (0, "", [], [], [])
    settings = yaml.safe_load(out)
    assert settings["hindsight"]["name"] == "relabel"
    assert RunConfig.model_validate(settings).policy == "pocket"


def test_resume_takes_the_settings_of_the_run(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spies = Spies(monkeypatch, Finished())
    config = find_preset("instructions").config
    (tmp_path / "config.yaml").write_text(dump_config(config))
    code, _, _ = run("--resume", str(tmp_path), "stop.max_steps=77")
    assert code == 0
    ((resumed, folder),) = spies.resumed
    assert resumed.stop.max_steps == 77
    assert resumed.learning_rate == config.learning_rate
    assert folder == tmp_path and spies.begun == []


def test_an_interrupted_run_says_how_to_go_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Spies(monkeypatch, Finished(interrupted=True))
    code, out, _ = run("instructions")
    assert code == 130
    assert "backsight train --resume runs/toy" in out


def test_ctrl_c_elsewhere_is_130_without_a_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Spies(monkeypatch, KeyboardInterrupt())
    code, _, err = run("instructions")
    assert code == 130
    assert "Traceback" not in err


def test_errors_of_a_run_are_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Spies(monkeypatch, DataError("data.jsonl:3", "{", "is not JSON"))
    assert run("instructions") == (2, "", "error: data.jsonl:3: {: is not JSON\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["instruction"], "error: preset: instruction: unknown; did you mean 'instructions'?"),
        (["instructions", "sed=1"], "error: sed: 1: unknown; did you mean 'seed'?"),
        (["instructions", "--config", "no.yaml"], "error: config file: no.yaml: cannot be read"),
        (["--resume", "nowhere"], "error: run folder: nowhere: has no config.yaml"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run: Run, words: list[str], message: str) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith(message)
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["--bogus"], ["--resume", "x", "--config", "y"]])
def test_wrong_usage_is_exit_code_2(run: Run, words: list[str]) -> None:
    code, _, err = run(*words)
    assert code == 2
    assert "Traceback" not in err


def no_entry_points(**_: object) -> list[object]:
    return []


def test_without_data_and_without_the_pocket_package_it_says_what_to_do(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("backsight.registry.entry_points", no_entry_points)
    code, out, err = run("sentiment")
    assert (code, out, list(tmp_path.iterdir())) == (2, "", [])
    assert err == (
        "error: data: None: sentiment learns from your rows: set data=FILE; without data it needs backsight-pocket\n"
    )


def test_without_the_pocket_package_its_model_is_not_there(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("backsight.registry.entry_points", no_entry_points)
    (tmp_path / "rows.jsonl").write_text('{"text": "fine", "label": "good"}\n{"text": "poor", "label": "bad"}\n')
    code, out, err = run("sentiment", "data=rows.jsonl", "eval_data=rows.jsonl")
    assert (code, out) == (2, "")
    assert err == (
        "error: policy: pocket: is not installed; pip install backsight-pocket (here: pip install ./pocket), "
        "or set policy=FOLDER\n"
    )
    assert not (tmp_path / "runs").exists()
