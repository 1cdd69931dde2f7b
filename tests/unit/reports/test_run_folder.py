"""The recorder writes, the reader reads; together they survive a kill at any moment."""

import json
from pathlib import Path

import pytest
import torch

from backsight.errors import RunFolderError
from backsight.reports.run_folder import Recorder, RunReader, read_rows
from backsight.types import Action, Feedback, Group, Step, Trajectory


def attempt(prompt: object, text: str, feedback: Feedback, num_steps: int = 1) -> Trajectory:
    step = Step(prompt, Action((1, 2), torch.zeros(2), text=text))
    return Trajectory(start=None, steps=(step,) * num_steps, feedback=feedback)


def new_recorder(folder: Path) -> Recorder:
    return Recorder.create(folder, "run", "toy-outcome", "seed: 0\n")


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path)
    recorder.add_metrics(1, {"reward": 0.25})
    recorder.add_metrics(2, {"reward": 0.5, "kl": 0.0})
    recorder.add_evaluation(2, "test", {"reward": [0.5, 0.4, 0.6]})
    reader = RunReader(tmp_path / "run")
    assert reader.metrics() == [{"step": 1, "reward": 0.25}, {"step": 2, "reward": 0.5, "kl": 0.0}]
    assert reader.evaluations() == [{"step": 2, "split": "test", "scores": {"reward": [0.5, 0.4, 0.6]}}]
    assert reader.trajectories() == []
    assert reader.config.read_text() == "seed: 0\n"


def test_a_group_becomes_a_line_a_turn(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path)
    group = Group(
        start=None,
        trajectories=(
            attempt("p", "yes", Feedback(rewards={"label": 1.0}, reward=1.0, success=True)),
            attempt("p", "no", Feedback(step_rewards=(0.25, 0.5), reward=1.0), num_steps=2),
        ),
        advantages=(torch.tensor([0.25, 0.75]), torch.tensor([-0.5, -0.5, 0.0, -0.5])),
    )
    recorder.add_trajectories(3, [group])
    rows = recorder.trajectories()
    assert rows[0] == {
        "step": 3,
        "group": None,
        "attempt": 0,
        "turn": 0,
        "prompt": "p",
        "completion": "yes",
        "rewards": {"label": 1.0},
        "reward": 1.0,
        "success": True,
        "advantage": 0.5,
        "num_tokens": 2,
        "cut_off": False,
    }
    assert [(row["attempt"], row["turn"], row["reward"], row["advantage"]) for row in rows[1:]] == [
        (1, 0, 0.25, -0.5),
        (1, 1, 1.5, -0.25),
    ]


@pytest.mark.parametrize("text", ['a\nb\r\n"', "\u2028\x00\x1b[31m", "\ud800", "größe 日本", "</script>"])
def test_model_output_stays_one_line_of_ascii(tmp_path: Path, text: str) -> None:
    recorder = new_recorder(tmp_path)
    recorder.add_trajectories(1, [Group(None, (attempt([{"role": "user", "content": text}], text, Feedback()),))])
    content = (recorder.folder / "trajectories.jsonl").read_bytes()
    assert content.count(b"\n") == 1
    assert content[:-1].isascii() and content[:-1].decode().isprintable()
    (row,) = recorder.trajectories()
    assert row["completion"] == text
    assert row["prompt"] == [{"role": "user", "content": text}]
    assert row["advantage"] is None


def test_an_observation_that_is_not_json_becomes_text(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path)
    recorder.add_trajectories(1, [Group(None, (attempt(Path("somewhere"), "x", Feedback()),))])
    assert recorder.trajectories()[0]["prompt"] == "somewhere"


def test_numbers_that_json_has_no_words_for_are_null(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path)
    recorder.add_metrics(1, {"reward": float("nan"), "kl": float("-inf"), "loss": 0.5})
    recorder.add_evaluation(1, "test", {"reward": [float("inf"), 0.5]})
    for name in ("metrics.jsonl", "evaluations.jsonl"):
        (line,) = (tmp_path / "run" / name).read_text().splitlines()
        json.loads(line, parse_constant=lambda word: pytest.fail(word))
    assert recorder.metrics() == [{"step": 1, "reward": None, "kl": None, "loss": 0.5}]


@pytest.mark.parametrize("name", ["messages.jsonl", "metrics.jsonl", "policy", "checkpoints"])
def test_a_link_that_leads_nowhere_is_named_before_anything_is_written(tmp_path: Path, name: str) -> None:
    folder = new_recorder(tmp_path).folder
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(name)
    with pytest.raises(RunFolderError, match=f"{name}: is no (file|folder), and a .* belongs there; move it away"):
        Recorder.reopen(folder, 1, "seed: 0\n")


def test_default_names_are_numbered(tmp_path: Path) -> None:
    names = [Recorder.create(tmp_path / "runs", None, "toy-relabel", "").folder.name for _ in range(3)]
    assert names == ["toy-relabel", "toy-relabel-2", "toy-relabel-3"]


def test_a_taken_name_is_never_reused(tmp_path: Path) -> None:
    new_recorder(tmp_path).add_metrics(1, {"reward": 1.0})
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(RunFolderError, match=r"^run_name: .*run: is taken; go on with `backsight train --resume"):
        new_recorder(tmp_path)
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot be made"):
        new_recorder(tmp_path / "file")


def test_only_a_run_folder_is_read(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"has no config\.yaml"):
        RunReader(tmp_path)
    with pytest.raises(RunFolderError, match=r"has no config\.yaml"):
        Recorder.reopen(tmp_path / "missing", 0, "")


@pytest.mark.parametrize("half", ["", '{"step": 4, "rew', '{"step": 4, "reward": 1.0}', "\x00\x00"])
def test_reopening_drops_what_will_be_written_again(tmp_path: Path, half: str) -> None:
    recorder = new_recorder(tmp_path)
    for step in (1, 2, 3):
        recorder.add_metrics(step, {"reward": 0.1 * step})
        recorder.add_evaluation(step, "test", {})
    with (recorder.folder / "metrics.jsonl").open("a") as file:
        file.write(half)
    assert [row["step"] for row in recorder.metrics()] == [1, 2, 3]

    again = Recorder.reopen(recorder.folder, 2, "seed: 0\nstop: later\n")
    assert again.metrics() == [{"step": 1, "reward": 0.1}, {"step": 2, "reward": 0.2}]
    assert [row["step"] for row in again.evaluations()] == [1, 2]
    assert again.config.read_text() == "seed: 0\nstop: later\n"
    again.add_metrics(3, {"reward": 9.0})
    assert [row["reward"] for row in again.metrics()] == [0.1, 0.2, 9.0]
    assert sorted(path.name for path in recorder.folder.iterdir()) == [
        "config.yaml",
        "evaluations.jsonl",
        "metrics.jsonl",
    ]


def test_damage_before_the_last_line_is_named_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": oops}\n{"step": 3}\n')
    with pytest.raises(RunFolderError, match=r"metrics\.jsonl:2: .*oops.*: is not JSON"):
        read_rows(path)
    recorder = new_recorder(tmp_path)
    damaged = recorder.folder / "metrics.jsonl"
    damaged.write_text(path.read_text())
    with pytest.raises(RunFolderError):
        Recorder.reopen(recorder.folder, 1, "")
    assert damaged.read_text() == path.read_text()
    assert recorder.config.read_text() == "seed: 0\n"


def test_lines_are_on_disk_at_once(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path)
    recorder.add_metrics(1, {"reward": 1.0})
    assert json.loads((recorder.folder / "metrics.jsonl").read_bytes()) == {"step": 1, "reward": 1.0}
