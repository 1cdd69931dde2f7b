"""A step is made again from its checkpoint: the same attempts, the same rows."""

from pathlib import Path

import pytest
from small_runs import sentiment_run

from backsight.errors import ConfigError, RunFolderError
from backsight.reports.run_folder import RunReader
from backsight.runs.replay import replay, replayable_steps


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sentiment_run(tmp_path_factory.mktemp("replay"), stop={"max_steps": 5}, save_steps=2, save_total_limit=9)


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
