"""A step is made again from its checkpoint: the same attempts, the same rows."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_policy

from backsight.errors import ConfigError, RunFolderError
from backsight.presets.base import configure
from backsight.reports.run_folder import RunReader
from backsight.runs.finetune import train
from backsight.runs.replay import replay, replayable_steps
from backsight.runs.start import begin

SETTINGS: dict[str, Any] = {
    "learning_rate": 1e-3,
    "prompts_per_step": 2,
    "num_generations": 4,
    "max_completion_length": 3,
    "eval_items": 4,
    "hindsight": "gold_anchor",
    "stop": {"max_steps": 5},
    "save_steps": 2,
    "save_total_limit": 9,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("replay")
    tiny_policy(words=("positive", "negative")).save(place / "model")
    labels = ("positive", "negative")
    rows = place / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": f"t{each}", "label": labels[each % 2]}) + "\n" for each in range(40)))
    settings = {**SETTINGS, "policy": str(place / "model"), "data": str(rows), "output_dir": str(place / "runs")}
    config, make = configure("sentiment", settings)
    return train(begin(config, make(config)), show_progress=False).folder


def test_the_steps_behind_a_checkpoint_can_be_made_again(run: Path) -> None:
    assert replayable_steps(RunReader(run)) == [1, 3, 5], "no step follows the checkpoint at the end"


def test_a_step_comes_out_as_it_was(run: Path) -> None:
    for again in replay(run):
        assert again.is_the_same, again.step
        recorded = [row for row in RunReader(run).trajectories() if row["step"] == again.step]
        rewards = [each.total_reward for group in again.groups for each in group.trajectories]
        assert rewards == [row["reward"] for row in recorded]
        assert again.trainer.progress.step == again.step - 1


def test_taking_the_step_again_ends_in_the_same_weights(run: Path) -> None:
    last = next(iter(replay(run, [3])))
    metrics = last.trainer.update(last.examples, last.groups)
    logged = next(row for row in RunReader(run).metrics() if row["step"] == 3)
    assert metrics["grad_norm"] == logged["grad_norm"]


def test_a_step_without_a_checkpoint_is_refused(run: Path) -> None:
    with pytest.raises(ConfigError, match=r"steps: 2: has no checkpoint before it; there are steps 1, 3, 5"):
        list(replay(run, [2]))


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="has no config.yaml"):
        list(replay(tmp_path))


def test_attempts_that_come_out_otherwise_are_noticed(run: Path) -> None:
    path = run / "trajectories.jsonl"
    before = path.read_text()
    path.write_text(before.replace('"completion": "', '"completion": "x', 1))
    try:
        assert [each.is_the_same for each in replay(run, [1, 3])] == [False, True]
    finally:
        path.write_text(before)
