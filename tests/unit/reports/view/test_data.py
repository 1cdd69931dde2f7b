"""What the page is given of a run: columns, gaps of older folders, sums, and nothing written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from benchmarks.view.made_run import append_rows, attempt_row, make_run

from backsight.errors import RunFolderError
from backsight.reports.lock import only_writer
from backsight.reports.packed_lines import PackedFolder
from backsight.reports.run_folder import TRAJECTORIES, RunReader
from backsight.reports.view import data
from backsight.reports.view.data import RunData, find_runs, json_text, metric_columns, turn_columns


@pytest.fixture
def run(tmp_path: Path) -> RunData:
    return RunData("made", RunReader(make_run(tmp_path / "made")))


def prints(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_metrics_that_come_later_have_gaps_before() -> None:
    found = metric_columns([{"step": 1, "reward": 0.5}, {"step": 2, "reward": None, "kl": 1 / 3}])
    assert found == {"step": [1, 2], "values": {"reward": [0.5, None], "kl": [None, 0.333333]}}


def test_prompts_are_kept_once() -> None:
    chat = [{"role": "user", "content": "hello"}]
    rows = [attempt_row(1, 0, each, "x", prompt=prompt) for each, prompt in enumerate(["a", chat, "a", list(chat)])]
    found = turn_columns(rows)
    assert found["prompts"] == ["a", chat]
    assert found["prompt"] == [0, 1, 0, 1]


def test_columns_hold_numbers_alone() -> None:
    found = turn_columns([attempt_row(1, 0, 0, None, reward="high", success=True, rewards=[1], advantage=1 / 3)])
    assert (found["reward"], found["success"], found["advantage"]) == ([None], [1], [0.333333])
    assert (found["completion"], found["rewards"]) == ([None], {})


def test_named_rewards_have_columns_with_gaps() -> None:
    rows = [attempt_row(1, 0, 0, "x", rewards={"a": 1.0}), attempt_row(1, 0, 1, "y", rewards={"b": 0.5})]
    assert turn_columns(rows)["rewards"] == {"a": [1.0, None], "b": [None, 0.5]}


def test_a_folder_of_an_earlier_version_lacks_fields() -> None:
    row = {"step": 1, "attempt": 0, "turn": 0, "prompt": "p", "completion": "c", "rewards": {}, "reward": 1.0}
    found = turn_columns([row])
    assert found["group"] == found["num_tokens"] == found["cut_off"] == found["success"] == [None]


def test_endless_texts_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "LONGEST_TEXT", 10)
    long = [{"role": "user", "content": "x" * 1_010}]
    found = turn_columns([attempt_row(1, 0, 0, "y" * 11, prompt=long)])
    assert found["completion"] == [f"{'y' * 10}… (1 more characters are in the run folder)"]
    assert found["prompts"] == [
        [{"role": "user", "content": f"{'x' * 10}… (1,000 more characters are in the run folder)"}]
    ]


def test_facts_hold_the_run_at_a_glance(run: RunData) -> None:
    found = run.facts({})
    assert found["metrics"]["rows"]["step"] == list(range(1, 13))
    assert (found["traced"], found["answered"], found["is_going_on"]) == ([1, 5, 9], [0, 12], False)
    assert ["hindsight.name", "relabel"] in found["settings"]
    later = run.facts({"metrics": found["metrics"]["cursor"]})
    assert later["metrics"]["rows"]["step"] == []
    assert later["evaluations"]["rows"] == found["evaluations"]["rows"]


def test_a_run_that_goes_on_says_so(run: RunData) -> None:
    with only_writer(run.reader.folder):
        assert run.facts({})["is_going_on"]


def test_attempts_come_since_a_cursor(run: RunData) -> None:
    first = run.attempts("")
    assert len(first["step"]) == 12 * 4 * 8
    append_rows(run.reader.folder / TRAJECTORIES, [attempt_row(13, 0, 0, "new")])
    later = run.attempts(first["cursor"])
    assert (later["step"], later["completion"]) == ([13], ["new"])


def test_credit_is_summed_once_for_the_same_steps(run: RunData) -> None:
    found = run.credit()
    assert found["steps"] == [1, 5, 9]
    assert {row[3] for row in found["index"]} == {"outcome", "relabel"}
    assert run.credit() is found
    run.reader.traces.write(11, run.traces(9))
    assert run.credit()["steps"] == [1, 5, 9, 11]


def test_credit_of_endless_traces_is_that_of_the_newest(run: RunData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "MOST_TRACED", 10)
    assert (run.credit()["steps"], run.credit()["left_out"]) == ([9], 2)


def test_looking_writes_nothing(run: RunData) -> None:
    before = prints(run.reader.folder)
    run.facts({})
    run.attempts("")
    run.credit()
    assert prints(run.reader.folder) == before


def test_a_damaged_step_of_traces_is_named(run: RunData) -> None:
    (run.reader.traces.folder / "step-000005.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(RunFolderError, match=r"step-000005\.jsonl\.gz.*delete the file"):
        run.traces(5)


def test_rows_that_are_no_traces_or_answers_are_left_out(run: RunData) -> None:
    whole_trace, whole_answer = run.traces(5)[0], run.answers(0)[0]
    run.reader.traces.write(5, [{}, whole_trace, whole_trace | {"push": [0.0]}, whole_trace | {"method": 1}])
    run.reader.answers.write(0, [{"split": "x"}, whole_answer, whole_answer | {"completions": [None]}])
    assert run.traces(5) == [whole_trace]
    assert run.answers(0) == [whole_answer]


def test_numbers_that_are_not_finite_are_null() -> None:
    assert json_text({"x": [1.5, float("nan")], "y": float("inf")}) == '{"x":[1.5,null],"y":null}'


def test_a_folder_that_was_moved_is_named(run: RunData) -> None:
    run.reader.folder.rename(run.reader.folder.with_name("elsewhere"))
    with pytest.raises(RunFolderError, match="is gone"):
        run.facts({})


def test_settings_that_cannot_be_read_are_no_obstacle(run: RunData) -> None:
    run.reader.config.write_text("a: [")
    assert run.facts({})["settings"] == [["config.yaml", "cannot be read"]]


def test_a_comparison_holds_runs(tmp_path: Path) -> None:
    for name in ("outcome-0", "relabel-0"):
        make_run(tmp_path / "runs" / name, num_steps=1)
    (tmp_path / "config.yaml").write_text("methods: []\n")
    assert list(find_runs(tmp_path)) == ["outcome-0", "relabel-0"]
    assert list(find_runs(tmp_path / "runs")) == ["outcome-0", "relabel-0"]
    assert list(find_runs(tmp_path / "runs" / "outcome-0")) == ["outcome-0"]


def test_runs_of_the_same_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for place in ("one", "two"):
        make_run(tmp_path / place / "made", num_steps=1)
    assert list(find_runs(tmp_path)) == ["one/made", "two/made"]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="name a folder that a run has made"):
        find_runs(tmp_path)


def test_a_run_without_traces_has_no_credit(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "made", num_steps=1)
    traces = PackedFolder(folder / "traces")
    traces.forget_after(-1)
    found = RunData("made", RunReader(folder)).credit()
    assert (found["index"], found["steps"], found["left_out"]) == ([], [], 0)
