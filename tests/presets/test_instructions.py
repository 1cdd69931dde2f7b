"""The embedded model and its preset, as they are in the repository."""

from pathlib import Path
from typing import Any

import pytest

import backsight
from backsight.errors import DataError
from backsight.finetuning import check_config, load_policy
from backsight.pocket import world
from backsight.pocket.build import Recipe, build
from backsight.pocket.folder import MODEL_FOLDER
from backsight.presets import PRESETS
from backsight.rollouts.local import LocalEngine
from backsight.types import Sampling

SMALL: dict[str, Any] = {
    "stop": {"max_steps": 2},
    "prompts_per_step": 8,
    "eval_items": 8,
    "show_progress": False,
}


def test_the_model_is_small() -> None:
    assert sum(path.stat().st_size for path in MODEL_FOLDER.iterdir()) <= 8_000_000


def test_it_writes_sentences_of_its_world() -> None:
    engine = LocalEngine(load_policy("pocket"))
    sampled = engine.act([""] * 1000, Sampling(max_completion_length=32), range(1000))
    actions = [action for _, action in sampled]
    well_formed = [world.is_well_formed((action.text or "").strip()) for action in actions]
    assert sum(well_formed) >= 850
    assert len({action.text for action in actions}) >= 950


def test_any_text_has_tokens() -> None:
    policy = load_policy("pocket")
    assert policy.decode(policy.encode("naïve €5 🙂")) == "naïve €5 🙂"


@pytest.mark.parametrize("hindsight", ["outcome", "relabel", "supervised"])
def test_every_method_runs_on_it(hindsight: str, tmp_path: Path) -> None:
    result = backsight.finetune("pocket", "instructions", hindsight=hindsight, output_dir=str(tmp_path), **SMALL)
    assert result.progress.step == 2
    assert set(result.after) == {"in_domain", "combinations", "domains", "more", "exact"}


def test_gold_answers_lengths_and_log_probabilities_are_right() -> None:
    assert len(check_config(PRESETS["instructions"].config)) == 8


def test_a_prompt_that_is_too_long_stops_the_run_before_it_leaves_anything(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="max_completion_length"):
        backsight.finetune(
            "pocket", "instructions", max_completion_length=250, output_dir=str(tmp_path / "runs"), **SMALL
        )
    assert not (tmp_path / "runs").exists()


def test_the_same_recipe_builds_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backsight.pocket.build.TOKENIZER_DOCUMENTS", 500)
    recipe = Recipe(
        vocabulary_size=1024, hidden_size=16, num_heads=2, intermediate_size=16, batch_rows=4, row_tokens=128, steps=3
    )
    for name in ("first", "second"):
        build(tmp_path / name, recipe)
    first, second = (sorted((tmp_path / name).iterdir()) for name in ("first", "second"))
    assert [path.name for path in first] == [path.name for path in second]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
