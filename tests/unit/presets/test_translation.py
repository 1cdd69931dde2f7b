"""The preset `translation` on rows."""

import json
from pathlib import Path

from backsight.presets.translation import translation
from backsight.tasks.translation import TranslationTask

ROWS = [{"source": "one", "target": "eins"}]


def test_its_settings_and_its_task(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)))
    preset = translation()
    config = preset.configure({"data": str(path), "eval_data": str(path)})
    assert type(preset.task(config)) is TranslationTask
    assert (config.preset, config.max_completion_length) == ("translation", 48)
    assert (config.hindsight.label, config.learning_rate) == ("gold_anchor", 1e-4)
