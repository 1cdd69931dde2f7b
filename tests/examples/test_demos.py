"""`make demo` and `make demo-all`, on few items and in little time."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from backsight.runs.finetune import finetune

SCRIPT = Path(__file__).parents[2] / "examples" / "demo_pocket.py"


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with one application, small steps, few items in an evaluation and no progress bar."""
    spec = importlib.util.spec_from_file_location("demo_pocket", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def finetune_briefly(*arguments: Any, **settings: Any) -> Any:
        small = {"eval_items": 4, "prompts_per_step": 8, "mini_batches": 1, "show_progress": False}
        return finetune(*arguments, **{**settings, **small})

    monkeypatch.setattr(module, "finetune", finetune_briefly)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(module, "APPLICATIONS", {"sentiment": "right labels"})
    return module


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
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"with-hindsight", "plain-rl"}
    assert "two methods, 2 s of training each" in shown
    assert all(title in shown for title in (*demo.INSTRUCTIONS.values(), "success and well formed", "malformed"))
    assert (tmp_path / "with-hindsight" / "policy" / "model.safetensors").is_file()


def test_bad_input_is_one_line(demo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        demo.main(["applications", "--budget", "-1", "--folder", str(tmp_path)])
    assert ending.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: stop.max_attempts: -1") and error.count("\n") == 1
