"""The demos, on few items, in little time and, for that of the real model, with a tiny one."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tiny_models import tiny_policy

from backsight.reports.run_folder import RunReader
from backsight.runs.finetune import finetune

EXAMPLES = Path(__file__).parents[2] / "examples"


def load_script(name: str, monkeypatch: pytest.MonkeyPatch, **small: Any) -> ModuleType:
    """Load a demo, with small runs and no progress bar."""
    monkeypatch.syspath_prepend(EXAMPLES)
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def finetune_briefly(*arguments: Any, **settings: Any) -> Any:
        return finetune(*arguments, **{**settings, "eval_items": 4, "show_progress": False, **small})

    monkeypatch.setattr(module, "finetune", finetune_briefly)
    monkeypatch.setenv("COLUMNS", "160")
    return module


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The demo of the pocket model, with one application."""
    module = load_script("demo_pocket", monkeypatch, prompts_per_step=8, mini_batches=1)
    monkeypatch.setattr(module, "APPLICATIONS", {"sentiment": "right labels"})
    return module


@pytest.fixture
def real_demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The demo of the real model, with a tiny one in its place."""
    policy = tiny_policy(max_position_embeddings=4096)
    policy.tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}: {% endfor %}"
    policy.save(tmp_path / "tiny")
    module = load_script("demo", monkeypatch, prompts_per_step=2, num_generations=2)
    small = {**module.SETTINGS, "max_completion_length": 4, "eval_items": 3}
    for name, value in {"POLICY": str(tmp_path / "tiny"), "SETTINGS": small, "EVERYDAY": 2, "ROWS_AT_ONCE": 2}.items():
        monkeypatch.setattr(module, name, value)
    return module


@pytest.mark.slow
def test_the_real_model_is_shown_before_and_after(
    real_demo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real_demo.main(["--seconds", "1", "--folder", str(tmp_path / "runs")])
    shown = capsys.readouterr().out
    assert all(words in shown for words in (*real_demo.QUESTIONS, "everyday answers", real_demo.CHOICE))
    assert f"backsight chat {tmp_path / 'runs' / 'with-hindsight'}" in shown
    assert (tmp_path / "runs" / "with-hindsight" / "policy" / "model.safetensors").is_file()


@pytest.mark.slow
def test_the_controls_have_as_many_attempts(
    real_demo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real_demo.main(["compare", "--seconds", "1", "--folder", str(tmp_path / "runs")])
    capsys.readouterr()
    measured = json.loads((tmp_path / "runs" / "demo.json").read_text())
    trained = {name: own["attempts"] for name, own in measured["rows"].items()}
    attempts = measured["attempts"]
    assert trained == {
        "before": 0,
        "with hindsight": attempts,
        "plain RL": attempts,
        "SFT on right answers": attempts,
        "best of 4, untrained": 0,
    }
    assert "samples" not in measured["rows"]["before"] and measured["rows"]["before"]["drift"] == 0.0


def _table(shown: str) -> str:
    """What stands between the title of the table and the last line, which says how long all took."""
    return shown.partition("greedy attempts")[2].partition("All of it")[0]


@pytest.mark.slow
def test_the_applications_end_in_one_table(
    demo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["applications", "--budget", "128", "--folder", str(tmp_path)]
    demo.main(words)
    shown = capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"sentiment-hindsight", "sentiment-plain-rl"}
    assert "two methods, 128 attempts each" in shown
    assert all(column in shown for column in ("before", "plain RL", "with hindsight"))
    assert all(f"sentiment (right labels), {split}" in shown for split in demo.SPLITS.values())

    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    demo.main(words)
    again = capsys.readouterr().out
    assert _table(again) == _table(shown)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before, "what is finished is kept"


@pytest.mark.slow
def test_instructions_end_in_one_table(demo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo.main(["instructions", "--budget", "2", "--folder", str(tmp_path)])
    shown = capsys.readouterr().out
    names = {"with-hindsight", "plain-rl-success", "plain-rl-constraints"}
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == names
    assert "three ways, 2 s of training each" in shown
    record = json.loads((tmp_path / "plain-RL-share-0.json").read_text())
    told = RunReader(tmp_path / "plain-rl-constraints").evaluations()
    measured = {(row["step"], row["split"]): row["scores"] for row in told}
    last = measured[max(measured)[0], "in_domain"]
    assert record["score"]["in_domain"]["mean"] == last["success"]["mean"] != last["reward"]["mean"]
    assert all(title in shown for title in (*demo.INSTRUCTIONS.values(), "success and well formed", "malformed"))
    assert (tmp_path / "with-hindsight" / "policy" / "model.safetensors").is_file()


def test_bad_input_is_one_line(demo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        demo.main(["applications", "--budget", "-1", "--folder", str(tmp_path)])
    assert ending.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: stop.max_attempts: -1") and error.count("\n") == 1
