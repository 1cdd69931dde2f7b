"""The presets sentiment, translation, summarization and dialogue on rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_policy

import backsight

ROWS: dict[str, list[dict[str, Any]]] = {
    "sentiment": [{"text": "fine", "label": "good"}, {"text": "dull", "label": "bad"}],
    "translation": [{"source": "one", "target": "eins"}],
    "summarization": [{"document": "one two three", "summary": "one"}],
    "dialogue": [{"messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]}],
}


@pytest.mark.parametrize("application", list(ROWS))
def test_it_runs_on_rows(application: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS[application]))
    result = backsight.finetune(
        tiny_policy(words=("good", "bad")),
        application,
        data=str(path),
        eval_data=str(path),
        stop={"max_steps": 1},
        prompts_per_step=2,
        output_dir=str(tmp_path / "runs"),
        show_progress=False,
    )
    assert result.progress.step == 1
    assert result.folder.name == f"{application}-gold_anchor"
    assert set(result.after) == {"test"}
