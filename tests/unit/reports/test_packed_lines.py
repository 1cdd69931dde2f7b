"""Packed lines come back as they were written, within bounds, and damage is named."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from backsight.errors import RunFolderError
from backsight.reports import packed_lines
from backsight.reports.packed_lines import PackedFolder, plain
from backsight.types import PartialCompletion


def test_rows_come_back_by_step(tmp_path: Path) -> None:
    folder = PackedFolder(tmp_path / "traces")
    assert folder.steps() == [] and folder.read(3) == [] and folder.size() == 0
    assert folder.write(12, [{"a": "é\x00\u202e\n"}, {"b": (1, None)}])
    assert folder.write(3, [])
    assert folder.steps() == [3, 12] and folder.read(3) == []
    assert folder.read(12) == [{"a": "é\x00\u202e\n"}, {"b": [1, None]}]
    assert folder.size() == sum(path.stat().st_size for path in folder.folder.iterdir())


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    one, two = (PackedFolder(tmp_path / name) for name in ("one", "two"))
    for each in (one, two):
        each.write(1, [{"a": 1}])
    assert (tmp_path / "one/step-000001.jsonl.gz").read_bytes() == (tmp_path / "two/step-000001.jsonl.gz").read_bytes()


def test_a_folder_grows_no_larger_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = PackedFolder(tmp_path / "traces")
    assert folder.write(1, [{"a": 1}])
    monkeypatch.setattr(packed_lines, "LARGEST_FOLDER", folder.size() + 5)
    assert not folder.write(2, [{"a": 2}])
    assert folder.steps() == [1]


def test_a_link_that_leads_nowhere_stops_no_run(tmp_path: Path) -> None:
    (tmp_path / "step-000001.jsonl.gz").symlink_to("step-000001.jsonl.gz")
    folder = PackedFolder(tmp_path)
    assert folder.write(2, [{"a": 1}]) and folder.read(2) == [{"a": 1}]


def test_what_comes_after_a_step_is_forgotten_and_so_are_halves(tmp_path: Path) -> None:
    folder = PackedFolder(tmp_path / "traces")
    for step in (1, 2, 3):
        folder.write(step, [{"step": step}])
    (tmp_path / "traces/step-000004.jsonl.gz.part").write_bytes(b"half")
    (tmp_path / "traces/notes.txt").write_text("mine")
    folder.forget_after(1)
    assert sorted(path.name for path in (tmp_path / "traces").iterdir()) == ["notes.txt", "step-000001.jsonl.gz"]


@pytest.mark.parametrize(
    ("contents", "is_packed"),
    [(b"no gzip", False), (b'{"a": 1', True), (b"[1]\n", True), (b"{", True), (b"\xff\n", True)],
)
def test_a_damaged_file_is_named(contents: bytes, is_packed: bool, tmp_path: Path) -> None:
    (tmp_path / "step-000001.jsonl.gz").write_bytes(gzip.compress(contents) if is_packed else contents)
    with pytest.raises(RunFolderError, match=r"step-000001.jsonl.gz: cannot be read .* delete the file"):
        PackedFolder(tmp_path).read(1)


def test_a_file_that_ends_early_is_named(tmp_path: Path) -> None:
    (tmp_path / "step-000001.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n')[:-9])
    with pytest.raises(RunFolderError, match=r"step-000001.jsonl.gz: cannot be read .* delete the file"):
        PackedFolder(tmp_path).read(1)


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "step-000001.jsonl.gz").write_bytes(b"")
    assert PackedFolder(tmp_path).read(1) == []


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_lines, "LARGEST_STEP", 1000)
    (tmp_path / "step-000001.jsonl.gz").write_bytes(gzip.compress(b"0" * 100_000))
    with pytest.raises(RunFolderError, match="holds more than"):
        PackedFolder(tmp_path).read(1)


def test_values_that_json_has_no_words_for_become_plain() -> None:
    value = {
        "array": np.array([1.5, 2.0]),
        "path": Path("a"),
        "begun": PartialCompletion("p", (1, 2)),
        "pair": (1, "x"),
    }
    assert plain(value) == {
        "array": [1.5, 2.0],
        "path": "a",
        "begun": {"prompt": "p", "begun": [1, 2]},
        "pair": [1, "x"],
    }
