"""Lines since the last look: half ones, damaged ones, long files, files that are begun anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backsight.reports.view import lines
from backsight.reports.view.lines import News, Window, read_news

ALL = Window(newest_bytes=10**6, newest_lines=1000, bytes_at_once=10**6)


def write(path: Path, *steps: int) -> Path:
    with path.open("a") as file:
        file.writelines(json.dumps({"step": step}) + "\n" for step in steps)
    return path


def steps(news: News) -> list[int]:
    return [row["step"] for row in news.rows]


def test_a_second_look_sees_what_is_new(tmp_path: Path) -> None:
    path = write(tmp_path / "m", 1, 2)
    first = read_news(path, "", ALL)
    assert steps(first) == [1, 2]
    assert first.is_anew
    write(path, 3)
    second = read_news(path, first.cursor, ALL)
    assert steps(second) == [3]
    assert not second.is_anew
    assert steps(read_news(path, second.cursor, ALL)) == []


def test_half_a_line_is_left_for_the_next_look(tmp_path: Path) -> None:
    path = write(tmp_path / "m", 1)
    with path.open("a") as file:
        file.write('{"step"')
    first = read_news(path, "", ALL)
    assert (steps(first), first.num_damaged) == ([1], 0)
    with path.open("a") as file:
        file.write(": 2}\n")
    assert steps(read_news(path, first.cursor, ALL)) == [2]


def test_a_file_that_is_not_there_has_no_lines_yet(tmp_path: Path) -> None:
    first = read_news(tmp_path / "m", "", ALL)
    assert (steps(first), first.has_more) == ([], False)
    write(tmp_path / "m", 1)
    assert steps(read_news(tmp_path / "m", first.cursor, ALL)) == [1]


def test_a_file_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "m", 1, 2, 3)
    first = read_news(path, "", ALL)
    write(tmp_path / "new", 1, 2, 3, 4).replace(path)
    again = read_news(path, first.cursor, ALL)
    assert again.is_anew
    assert steps(again) == [1, 2, 3, 4]


@pytest.mark.parametrize("cursor", ["x", "-", "7-", "7-x", "7--5", "0-99999999"])
def test_a_cursor_of_another_file_begins_anew(tmp_path: Path, cursor: str) -> None:
    assert steps(read_news(write(tmp_path / "m", 1), cursor, ALL)) == [1]


def test_damaged_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "m", 1)
    with path.open("ab") as file:
        file.write(b"\x00\xff\n[]\n{}\n" + b"[" * 100_000 + b"\n")
    news = read_news(write(path, 2), "", ALL)
    assert (steps(news), news.num_damaged) == ([1, 2], 4)


def test_the_newest_lines_are_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "m", *range(100))
    news = read_news(path, "", Window(10**6, 3, 10**6))
    assert steps(news) == [97, 98, 99]
    assert news.skipped_bytes == path.read_text().index('{"step": 97}')


def test_the_newest_bytes_are_taken_from_a_whole_line_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK", 16)
    path = write(tmp_path / "m", *range(10, 100))
    news = read_news(path, "", Window(newest_bytes=13 * 4 + 5, newest_lines=1000, bytes_at_once=10**6))
    assert steps(news) == [96, 97, 98, 99]


def test_a_long_file_comes_in_pieces(tmp_path: Path) -> None:
    path, window = write(tmp_path / "m", *range(10, 20)), Window(10**6, 1000, 13 * 4)
    found, cursor, looks = [], "", 0
    while True:
        news = read_news(path, cursor, window)
        found += steps(news)
        cursor, looks = news.cursor, looks + 1
        if not news.has_more:
            break
    assert found == list(range(10, 20))
    assert looks == 3


def test_a_line_of_endless_length_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 50)
    path = write(tmp_path / "m", 1)
    with path.open("a") as file:
        file.write(json.dumps({"step": 2, "completion": "x" * 500}) + "\n")
    news = read_news(write(path, 3), "", ALL)
    assert (steps(news), news.num_damaged) == ([1, 3], 1)
