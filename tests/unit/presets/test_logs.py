"""The presets `logs` and `corrections`: their settings and tasks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backsight.errors import ConfigError
from backsight.presets.base import Preset
from backsight.presets.logs import corrections, logs
from backsight.tasks.conversations import ConversationsTask
from backsight.tasks.corrections import CorrectionsTask

MESSAGES = [
    {"role": "user", "content": "A latte."},
    {"role": "assistant", "content": "Milk?", "reward": 1},
    {"role": "user", "content": "I said a latte."},
]


@pytest.mark.parametrize("preset", [logs(), corrections()], ids=lambda preset: preset.name)
def test_they_want_data_and_sample_nothing(preset: Preset) -> None:
    config = preset.config
    assert (config.preset, config.hindsight.label, config.algorithm) == (preset.name, "recorded", "reinforce")
    assert not config.hindsight.learns_from_attempts
    with pytest.raises(ConfigError, match=f"data: None: {preset.name} learns from your rows: set data=FILE"):
        preset.task(config)


@pytest.mark.parametrize(("weight", "feedback"), [(0.0, None), (1.0, "I said a latte.")])
def test_the_next_turn_is_feedback_for_those_who_learn_from_it(
    tmp_path: Path, weight: float, feedback: str | None
) -> None:
    data = tmp_path / "conversations.jsonl"
    data.write_text(json.dumps({"messages": MESSAGES}))
    preset = logs()
    changes = {"data": str(data), "eval_data": str(data), "hindsight": {"distill_weight": weight}}
    task = preset.task(preset.configure(changes))
    assert isinstance(task, ConversationsTask)
    (item,) = task.items("train")
    assert item.columns["feedback"] == feedback


def test_corrections_are_single_answers(tmp_path: Path) -> None:
    data = tmp_path / "answers.jsonl"
    data.write_text(json.dumps({"prompt": "2+2=", "chosen": " 4", "rejected": " 5"}))
    preset = corrections()
    task = preset.task(preset.configure({"data": str(data), "eval_data": str(data)}))
    assert isinstance(task, CorrectionsTask)
    assert [item.columns["reward"] for item in task.items("train")] == [1.0, 0.0]
