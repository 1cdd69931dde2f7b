"""The preset `summarization` on rows."""

import json
from pathlib import Path

from backsight.presets.summarization import summarization
from backsight.tasks.summarization import SummarizationTask

ROWS = [{"document": "one two three", "summary": "one"}]


def test_its_settings_and_its_task(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)))
    preset = summarization()
    config = preset.configure({"data": str(path), "eval_data": str(path)})
    assert type(preset.task(config)) is SummarizationTask
    assert (config.preset, config.max_completion_length) == ("summarization", 64)
    assert (config.hindsight.label, config.learning_rate) == ("gold_anchor", 1e-4)
