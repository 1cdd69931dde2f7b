import json
from pathlib import Path

import pytest

from backsight.errors import ConfigError
from backsight.reports.files import check_new_file, size_text, write_json


def test_what_can_be_made_and_what_not(tmp_path: Path) -> None:
    (tmp_path / "there.json").write_text("")
    check_new_file("json", tmp_path / "new.JSON", [".json"])
    for name, complaint in (("there.json", "exists"), ("a/new.json", "no folder"), ("new.txt", "endings .json")):
        with pytest.raises(ConfigError, match=complaint):
            check_new_file("json", tmp_path / name, [".json"])


def test_json_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    write_json(path, {"a": [1.5, None]})
    assert json.loads(path.read_text()) == {"a": [1.5, None]}
    with pytest.raises(FileExistsError):
        write_json(path, {})
    assert json.loads(path.read_text()) == {"a": [1.5, None]}


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (12_949, "12.9 kB"), (999_600, "1 MB"), (538_000_000, "538 MB")],
)
def test_sizes_have_three_digits(size: int, text: str) -> None:
    assert size_text(size) == text
