"""The preset `dialogue` on rows."""

import json
from pathlib import Path

from backsight.presets.dialogue import dialogue
from backsight.tasks.dialogue import DialogueTask

ROWS = [{"messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]}]


def test_its_settings_and_its_task(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)))
    preset = dialogue()
    config = preset.configure({"data": str(path), "eval_data": str(path)})
    assert type(preset.task(config)) is DialogueTask
    assert (config.preset, config.max_completion_length) == ("dialogue", 48)
    assert (config.hindsight.label, config.learning_rate) == ("gold_anchor", 1e-4)
