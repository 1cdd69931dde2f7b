"""The preset `logs`, from its settings to its task."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backsight import presets
from backsight.config import change_config
from backsight.errors import ConfigError

MESSAGES = [
    {"role": "user", "content": "A latte."},
    {"role": "assistant", "content": "Milk?", "reward": 1},
    {"role": "user", "content": "I said a latte."},
]


def test_it_wants_data() -> None:
    preset = presets.get("logs")
    with pytest.raises(ConfigError, match="data: None: logs needs rows with 'messages'"):
        preset.task(preset.config)


@pytest.mark.parametrize(("weight", "feedback"), [(0.0, None), (1.0, "I said a latte.")])
def test_the_next_turn_is_feedback_for_those_who_learn_from_it(
    tmp_path: Path, weight: float, feedback: str | None
) -> None:
    data = tmp_path / "conversations.jsonl"
    data.write_text(json.dumps({"messages": MESSAGES}))
    preset = presets.get("logs")
    changes = {"data": str(data), "eval_data": str(data), "hindsight": {"distill_weight": weight}}
    (item,) = preset.task(change_config(preset.config, changes)).items("train")
    assert item.columns["feedback"] == feedback
