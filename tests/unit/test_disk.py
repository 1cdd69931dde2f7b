"""A folder is whole or not there, whenever the process ends, and what a killed one leaves is cleaned away."""

from pathlib import Path
from typing import Any

import pytest

from backsight.disk import clean, disk_errors, make_folder, remove_folder, whole_folder
from backsight.errors import RunFolderError


def test_a_folder_takes_the_place_of_another_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "policy"
    target.mkdir()
    (target / "old").touch()
    with whole_folder(target, "mend it") as place:
        (place / "new").touch()
        assert [path.name for path in target.iterdir()] == ["old"]
    assert [path.name for path in target.iterdir()] == ["new"] and list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("ours")])
def test_what_was_there_stays_when_writing_fails(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "policy"
    target.mkdir()
    expected = RunFolderError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected), whole_folder(target, "mend it"):
        raise error
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_of_the_disk_says_what_to_do(tmp_path: Path) -> None:
    said = r"^disk: .*x: cannot be written \(No such file or directory\); mend it$"
    with pytest.raises(RunFolderError, match=said), disk_errors(tmp_path / "x", "mend it"):
        (tmp_path / "x" / "y").touch()


@pytest.mark.parametrize(
    ("left", "stays"),
    [
        ([".a.partial/new"], []),
        ([".a.replaced/old", ".a.partial/new"], ["a/old"]),
        ([".a.replaced/old", "a/new"], ["a/new"]),
        ([".a.replaced/old"], []),
        (["a/new", ".hidden/mine"], [".hidden/mine", "a/new"]),
    ],
)
def test_what_a_killed_process_left_is_cleaned_away(tmp_path: Path, left: list[str], stays: list[str]) -> None:
    for name in left:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    clean(tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == stays
    clean(tmp_path / "nowhere")


def test_a_folder_is_made_once(tmp_path: Path) -> None:
    make_folder(tmp_path / "deep" / "run", {"config.yaml": "seed: 0\n"})
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "deep" / "run", {"config.yaml": "seed: 1\n"})
    assert (tmp_path / "deep" / "run" / "config.yaml").read_text() == "seed: 0\n"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["run"]


def test_two_that_make_a_folder_do_not_take_each_others_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Exception):
        pass

    class SlowFiles(dict[str, str]):
        def items(self) -> Any:
            raise Stopped  # the second has begun, and has written nothing yet

    def begin_another(path: Path) -> None:
        monkeypatch.undo()
        with pytest.raises(Stopped):
            make_folder(tmp_path / "run", SlowFiles())

    monkeypatch.setattr("backsight.disk.sync", begin_another)
    make_folder(tmp_path / "run", {"config.yaml": "seed: 0\n"})
    assert (tmp_path / "run" / "config.yaml").read_text() == "seed: 0\n"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_is_removed(tmp_path: Path) -> None:
    make_folder(tmp_path / "run", {"file": ""})
    remove_folder(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
