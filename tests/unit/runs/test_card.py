"""The model card that a run leaves: written from the run, whole, and true of how it ended."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString

import backsight
from backsight.errors import DivergedError, RewardError
from backsight.tasks.rows import RowsTask

SMALL: dict[str, Any] = {
    "prompts_per_step": 2,
    "num_generations": 2,
    "max_completion_length": 3,
    "eval_items": 4,
    "show_progress": False,
    "run_name": "mine",
    "stop": {"max_steps": 2},
}


@pytest.fixture
def model(tmp_path: Path) -> str:
    folder = tmp_path / "model"
    tiny_policy(words=WORDS).save(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\nbase_model: owner/first\n---\n")
    return str(folder)


def card(folder: Path) -> str:
    return (folder / "mine" / "policy" / "README.md").read_text(encoding="utf-8")


def test_it_says_what_the_run_was(tmp_path: Path, model: str) -> None:
    rows = tmp_path / "my_rows.jsonl"
    rows.write_text("".join(json.dumps({"prompt": f"secret {number}"}) + "\n" for number in range(40)))

    def length(completions: list[str], **columns: Any) -> list[float]:
        return [float(len(each)) for each in completions]

    settings = {**SMALL, "data": str(rows), "output_dir": str(tmp_path), "learning_rate": 0.001, "seed": 7}
    result = backsight.finetune(model, RowsTask(str(rows)), reward_funcs=length, adapter="lora", **settings)
    text = card(tmp_path)
    assert str(tmp_path) not in text and "secret" not in text
    assert "- Base: model\n- Licence of the base: apache-2.0\n- Data: data my\\_rows.jsonl (checksum " in text
    assert "learning\\_rate=0.001" in text and "seed=7" in text and "adapter=lora (r=16, lora\\_alpha=32)" in text
    assert "step 2; max\\_steps=2 reached" in text and "8 attempts, " in text
    before, after = (scores["test"].reward for scores in (result.before, result.after))
    for reward in (before, after):
        digits = 1 if reward.mean >= 10 else 3
        assert f"{reward.mean:.{digits}f} ({reward.low:.{digits}f}–{reward.high:.{digits}f})" in text
    data = ModelCard(text).data
    assert (data.license, data.base_model, data.library_name) == ("apache-2.0", "owner/first", "peft")
    assert data.datasets is None


def test_the_printed_code_loads_the_policy_in_a_fresh_process(tmp_path: Path, model: str) -> None:
    backsight.finetune(model, GoalString(1), output_dir=str(tmp_path), **SMALL)
    code = card(tmp_path).partition("```python\n")[2].partition("```")[0]
    environment = {**os.environ, "PYTHONPATH": "", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", code]
    done = subprocess.run(command, cwd=tmp_path / "mine" / "policy", env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout, done.stderr


def test_it_names_the_runs_before_this_one(tmp_path: Path, model: str) -> None:
    first = backsight.finetune(model, GoalString(1), output_dir=str(tmp_path), **{**SMALL, "run_name": "warm"})
    backsight.finetune(first.folder, GoalString(1), output_dir=str(tmp_path), **SMALL)
    text = card(tmp_path)
    assert "- Base: run warm, made from model\n" in text and ModelCard(text).data.base_model == "owner/first"


def test_it_says_that_the_run_was_interrupted(tmp_path: Path, model: str) -> None:
    def stopping(completions: list[str], trainer_state: Any) -> list[float]:
        if trainer_state.global_step == 0 and len(calls) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        calls.append(len(completions))
        return [0.0] * len(completions)

    calls: list[int] = []
    settings = {**SMALL, "stop": {"max_steps": 9}, "output_dir": str(tmp_path)}
    assert backsight.finetune(model, GoalString(1), reward_funcs=stopping, **settings).interrupted
    text = card(tmp_path)
    assert "The run was interrupted after step 1: it is not finished.\n\nIt has not been scored since" in text
    assert "|  | before |\n" in text


def test_it_says_that_the_training_diverged(tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backsight.training.trainer.learning_rate", lambda config, progress: math.nan)
    settings = {**SMALL, "stop": {"max_steps": 9}, "output_dir": str(tmp_path)}
    with pytest.raises(DivergedError):
        backsight.finetune(model, GoalString(1), hindsight="supervised", **settings)
    assert "The training diverged. This is the last policy whose numbers were all finite." in card(tmp_path)


def test_a_policy_whose_last_evaluation_failed_says_that_it_was_not_scored(tmp_path: Path, model: str) -> None:
    def failing(completions: list[str], trainer_state: Any) -> list[float]:
        if trainer_state.global_step == 2:
            raise ValueError("no more")
        return [0.0] * len(completions)

    with pytest.raises(RewardError):
        backsight.finetune(model, GoalString(1), reward_funcs=failing, output_dir=str(tmp_path), **SMALL)
    text = card(tmp_path)
    assert "step 2; max\\_steps=2 reached" in text and "It has not been scored since its training ended." in text
