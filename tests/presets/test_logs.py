"""The presets `logs` and `corrections`, from rows to what was learnt of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_policy

from backsight.errors import ConfigError
from backsight.policies.text import TextPolicy
from backsight.reports.run_folder import RunReader
from backsight.runs.finetune import LIKELIHOOD, Result, finetune

MESSAGES = [
    {"role": "user", "content": "A latte."},
    {"role": "assistant", "content": "Milk?", "reward": 1},
    {"role": "user", "content": "I said a latte."},
]


def train(preset: str, rows: list[dict[str, Any]], folder: Path, **settings: Any) -> Result:
    """What came of a run on these rows, which are those to train on and those held back."""
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    policy: TextPolicy = tiny_policy()
    small: dict[str, Any] = {"prompts_per_step": 2, "max_completion_length": 4, "show_progress": False}
    paths = {"data": str(data), "eval_data": str(data), "output_dir": str(folder / "runs")}
    return finetune(policy, preset, **{**small, **paths, "stop": {"max_steps": 1}, **settings})


@pytest.mark.parametrize(("rewards", "is_compared"), [((1, 1), False), ((1, 0), True)])
def test_turns_are_compared_where_there_are_two_kinds(
    tmp_path: Path, rewards: tuple[int, ...], is_compared: bool
) -> None:
    conversations = [[MESSAGES[0], {"role": "assistant", "content": "Milk?", "reward": reward}] for reward in rewards]
    result = train("logs", [{"messages": each} for each in conversations], tmp_path, eval_steps=1)
    assert (LIKELIHOOD in result.before) == (LIKELIHOOD in result.after) == is_compared


@pytest.mark.parametrize(("setting", "value"), [("keep_best", True), ("stop", {"max_steps": 1, "target": 0.5})])
def test_a_run_that_looks_at_scores_needs_some(tmp_path: Path, setting: str, value: Any) -> None:
    rows = [{"messages": MESSAGES}]
    with pytest.raises(ConfigError, match="task 'conversations' has no split to evaluate; leave it out"):
        train("logs", rows, tmp_path, eval_steps=1, **{setting: value})
    assert not (tmp_path / "runs").exists()


def test_corrections_are_learnt_from_rows(tmp_path: Path) -> None:
    rows = [{"prompt": "2+2=", "chosen": " 4", "rejected": " 5"}, {"prompt": "3+3=", "chosen": " 6", "rejected": " 7"}]
    result = train("corrections", rows, tmp_path, stop={"max_steps": 8}, prompts_per_step=4, learning_rate=3e-3)
    assert result.folder.name == "corrections-recorded"
    assert result.before[LIKELIHOOD].reward.mean == 0.5
    assert result.after[LIKELIHOOD].reward.mean == 1.0, "all that was chosen gained more than all that was rejected"
    metrics = RunReader(result.folder).metrics()
    assert [row["frac_off_policy"] for row in metrics] == [1.0] * 8
    assert not any(row.get("num_tokens") for row in metrics), "nothing is sampled"
    assert set(result.after) == {"test_good", LIKELIHOOD}


def test_a_correction_is_imitated(tmp_path: Path) -> None:
    rows = [{"prompt": "2+2=", "completion": " 5", "correction": " 4", "feedback": "count again"}]
    result = train("corrections", rows, tmp_path, stop={"max_steps": 12}, learning_rate=1e-2)
    means = (result.before["test_good"].reward.mean, result.after["test_good"].reward.mean)
    assert means == (0.0, 1.0), "the correction is what it says now"
