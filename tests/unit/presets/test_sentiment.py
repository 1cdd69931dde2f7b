"""The preset `sentiment` on rows."""

import json
from pathlib import Path

from backsight.presets.sentiment import sentiment
from backsight.tasks.sentiment import SentimentTask

ROWS = [{"text": "fine", "label": "good"}, {"text": "dull", "label": "bad"}]


def test_its_settings_and_its_task(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)))
    preset = sentiment()
    config = preset.configure({"data": str(path), "eval_data": str(path)})
    assert type(preset.task(config)) is SentimentTask
    assert (config.preset, config.max_completion_length) == ("sentiment", 8)
    assert (config.hindsight.label, config.learning_rate) == ("gold_anchor", 1e-4)
