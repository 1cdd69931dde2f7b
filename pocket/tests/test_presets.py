"""The presets that need no data, from their names to a run of the pocket model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import backsight
from backsight.environments.episodes import EpisodesTask
from backsight.errors import ConfigError, DataError
from backsight.presets.base import find_preset
from backsight.presets.catalogue import PRESETS
from backsight.runs.check import check
from backsight_pocket.instructions import InstructionsTask
from backsight_pocket.sentiment import PocketSentimentTask
from backsight_pocket.summarization import PocketSummaryTask
from backsight_pocket.translation import PocketTranslationTask

SMALL: dict[str, Any] = {
    "stop": {"max_steps": 2},
    "prompts_per_step": 8,
    "eval_items": 8,
    "show_progress": False,
}
WORLDS: dict[str, Any] = {
    "sentiment": PocketSentimentTask,
    "translation": PocketTranslationTask,
    "summarization": PocketSummaryTask,
    "dialogue": EpisodesTask,
}


@pytest.fixture(params=list(WORLDS))
def application(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_the_package_adds_its_presets() -> None:
    assert {"instructions", *WORLDS} <= set(PRESETS.names())


def test_without_data_it_is_the_pocket_world(application: str) -> None:
    preset = find_preset(application)
    task = preset.task(preset.configure())
    assert isinstance(task, WORLDS[application])
    assert task.eval_splits == ("in_domain", "domains", "longer")


def test_with_data_it_is_the_rows_and_other_settings(application: str) -> None:
    offline, rows = find_preset(application), find_preset(application, {"data": "rows.jsonl"})
    assert (offline.name, rows.name) == (application, application)
    assert (offline.needs_data, rows.needs_data) == (False, True)
    assert (rows.config.hindsight.label, rows.config.learning_rate) == ("gold_anchor", 1e-4)
    assert offline.config.learning_rate == 5e-4


def test_the_last_change_of_the_data_decides(application: str) -> None:
    assert find_preset(application, {"data": "rows.jsonl"}, {"data": None}).needs_data is False
    assert find_preset(application, {"data": None}, {"data": "rows.jsonl"}).needs_data is True


def test_held_out_data_without_training_data_is_refused(application: str) -> None:
    preset = find_preset(application, {"ood_data": "rows.jsonl"})
    with pytest.raises(ConfigError, match=f"ood_data: .*: goes with training data, and {application} has none yet"):
        preset.task(preset.configure({"ood_data": "rows.jsonl"}))


def test_the_pocket_model_has_instructions_of_its_own() -> None:
    assert find_preset("instructions").config.policy != "pocket"
    preset = find_preset("instructions", {"policy": "pocket"})
    assert preset.config.policy == "pocket"
    assert isinstance(preset.task(preset.config), InstructionsTask)
    with pytest.raises(ConfigError, match="^data: rows.jsonl: instructions makes its own items; leave it out$"):
        preset.task(preset.configure({"data": "rows.jsonl"}))


@pytest.mark.parametrize("name", [*WORLDS, "instructions"])
def test_gold_answers_lengths_and_log_probabilities_are_right(name: str) -> None:
    preset = find_preset(name, {"policy": "pocket"})
    task = preset.task(preset.config)
    found = dict(check(preset.config, task))
    graded = [f"gold answers of {split}" for split in ("train", *task.eval_splits)]
    assert list(found)[: len(graded) + 2] == [*graded, "prompts", "sampler and learner"]
    right = "0" if name == "dialogue" else "200"  # of a dialogue there is no gold answer
    assert {found[each] for each in graded} == {f"{right} score full marks"}
    assert "answer 3" in found


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


@pytest.mark.parametrize("hindsight", ["outcome", "relabel", "supervised"])
def test_every_method_learns_instructions(hindsight: str, tmp_path: Path) -> None:
    result = backsight.finetune("pocket", "instructions", hindsight=hindsight, output_dir=str(tmp_path), **SMALL)
    assert result.progress.step == 2
    assert set(result.after) == {"in_domain", "combinations", "domains", "more", "exact"}
    for policy in (result.folder, result.folder / "policy"):
        assert find_preset("instructions", {"policy": policy}).config.policy == "pocket"


def test_a_prompt_that_is_too_long_stops_the_run_before_it_leaves_anything(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="max_completion_length"):
        backsight.finetune(
            "pocket", "instructions", max_completion_length=250, output_dir=str(tmp_path / "runs"), **SMALL
        )
    assert not (tmp_path / "runs").exists()
