"""What a run is made of is known again, and what has changed is named."""

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_policy
from toy_tasks import GoalString

from backsight.config import RunConfig
from backsight.errors import ConfigError
from backsight.hindsight.options import OutcomeOptions
from backsight.runs.origin import find_changes, find_origin
from backsight.tasks.rows import RowsTask
from backsight.training.config import StopConfig


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.jsonl").write_text('{"prompt": "a"}\n')
    (tmp_path / "eval.jsonl").write_text('{"prompt": "b"}\n')
    tiny_policy().save(tmp_path / "model")
    return RunConfig(
        preset="toy",
        policy=str(tmp_path / "model"),
        data=str(tmp_path / "data"),
        eval_data=str(tmp_path / "eval.jsonl"),
        hindsight=OutcomeOptions(),
        stop=StopConfig(max_steps=1),
    )


def changes(config: RunConfig, before: dict[str, str], **settings: Any) -> list[str]:
    return find_changes(before, find_origin(config.model_copy(update=settings), GoalString(1)))


def test_nothing_has_changed_when_only_the_end_and_the_folder_have(config: RunConfig) -> None:
    before = json.loads(json.dumps(find_origin(config, GoalString(1))))
    assert changes(config, before, stop=StopConfig(max_steps=9), output_dir="elsewhere", run_name="x") == []


@pytest.mark.parametrize(
    ("name", "field"), [("data/rows.jsonl", "data"), ("eval.jsonl", "eval_data"), ("model/model.safetensors", "model")]
)
@pytest.mark.parametrize("is_gone", [False, True])
def test_a_changed_file_is_named(config: RunConfig, tmp_path: Path, name: str, field: str, is_gone: bool) -> None:
    before = find_origin(config, GoalString(1))
    path = tmp_path / name
    path.unlink() if is_gone else path.write_bytes(path.read_bytes()[:-1] + b" ")
    (found,) = changes(config, before)
    assert found.startswith(f"{field} ")


def test_other_code_is_named(config: RunConfig) -> None:
    before = find_origin(config, GoalString(1))
    older = {**before, "code of backsight": "0", "code of the task": "0", "version of torch": "0.1"}
    assert changes(config, older) == ["code of backsight", "code of the task", "version of torch"]
    assert changes(config, {**before, "number of threads": "64"}) == ["number of threads"]


def test_an_edited_setting_is_refused(config: RunConfig) -> None:
    before = find_origin(config, GoalString(1))
    with pytest.raises(ConfigError, match=r"^learning_rate: 0.5: was 1e-05 until now, and only stop"):
        changes(config, before, learning_rate=0.5)


def test_a_checkpoint_that_knows_nothing_of_it_is_no_error(config: RunConfig) -> None:
    assert "code of backsight" in changes(config, {})


def test_rows_given_in_python_are_known_by_what_they_hold(config: RunConfig, tmp_path: Path) -> None:
    own = config.model_copy(update={"data": None, "eval_data": None})
    file = tmp_path / "own.jsonl"
    file.write_text('{"prompt": "a"}\n')
    rows = [{"prompt": "a", "when": datetime.date(2026, 1, 2)}, {"prompt": "b"}]
    before = find_origin(own, RowsTask(rows, test=file))
    assert find_changes(before, find_origin(own, RowsTask([dict(row) for row in rows], test=file))) == []
    assert find_changes(before, find_origin(own, RowsTask(rows[::-1], test=file))) == ["rows of train"]
    file.write_text('{"prompt": "c"}\n')
    assert find_changes(before, find_origin(own, RowsTask(rows, test=file))) == ["rows of test"]
