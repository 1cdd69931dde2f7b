"""The presets sentiment, translation, summarization and dialogue: the pocket world offline, or rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import backsight
from backsight import presets
from backsight.environments.episodes import EpisodesTask
from backsight.errors import ConfigError
from backsight.finetuning import check_config
from backsight.hindsight.config import label
from backsight.pocket.sentiment import PocketSentimentTask
from backsight.pocket.summarization import PocketSummaryTask
from backsight.pocket.translation import PocketTranslationTask
from backsight.tasks.base import Task
from backsight.tasks.dialogue import DialogueTask
from backsight.tasks.rows import FileTask
from backsight.tasks.sentiment import SentimentTask
from backsight.tasks.summarization import SummarizationTask
from backsight.tasks.translation import TranslationTask

WORLDS = {
    "sentiment": PocketSentimentTask,
    "translation": PocketTranslationTask,
    "summarization": PocketSummaryTask,
    "dialogue": EpisodesTask,
}
ROWS: dict[str, tuple[type[FileTask], list[dict[str, Any]]]] = {
    "sentiment": (SentimentTask, [{"text": "fine", "label": "good"}, {"text": "dull", "label": "bad"}]),
    "translation": (TranslationTask, [{"source": "one", "target": "eins"}]),
    "summarization": (SummarizationTask, [{"document": "one two three", "summary": "one"}]),
    "dialogue": (
        DialogueTask,
        [{"messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]}],
    ),
}


@pytest.fixture(params=list(ROWS))
def application(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def rows(application: str, tmp_path: Path) -> str:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS[application][1]))
    return str(path)


def test_without_data_it_is_the_pocket_world(application: str) -> None:
    preset = presets.get(application)
    task = preset.task(preset.configured())
    assert isinstance(task, WORLDS[application])
    assert task.eval_splits == ("in_domain", "domains", "longer")


def test_with_data_it_is_the_rows_and_other_settings(application: str, rows: str) -> None:
    preset = presets.get(application)
    config = preset.configured({"data": rows, "eval_data": rows})
    task: Task = preset.task(config)
    assert type(task) is ROWS[application][0]
    assert (label(config.hindsight), config.learning_rate) == ("gold_anchor", 1e-4)
    assert preset.configured({"data": rows}, {"data": None}) == preset.configured()


def test_held_out_data_without_training_data_is_refused(application: str, rows: str) -> None:
    preset = presets.get(application)
    with pytest.raises(ConfigError, match=f"ood_data: .*: goes with training data, and {application} has none yet"):
        preset.task(preset.configured({"ood_data": rows}))


def test_gold_answers_lengths_and_log_probabilities_are_right(application: str) -> None:
    assert len(check_config(presets.get(application).configured())) == 6


@pytest.mark.parametrize("hindsight", [None, "outcome"])
def test_it_runs_on_the_pocket_model(application: str, hindsight: str | None, tmp_path: Path) -> None:
    settings = {} if hindsight is None else {"hindsight": hindsight}
    result = backsight.finetune(
        "pocket",
        application,
        stop={"max_steps": 1},
        prompts_per_step=4,
        mini_batches=1,
        eval_items=4,
        output_dir=str(tmp_path),
        show_progress=False,
        **settings,
    )
    assert result.progress.step == 1
    assert set(result.after) == {"in_domain", "domains", "longer"}


def test_it_runs_on_rows(application: str, rows: str, tmp_path: Path) -> None:
    result = backsight.finetune(
        "pocket",
        application,
        data=rows,
        eval_data=rows,
        stop={"max_steps": 1},
        prompts_per_step=2,
        output_dir=str(tmp_path),
        show_progress=False,
    )
    assert result.progress.step == 1
