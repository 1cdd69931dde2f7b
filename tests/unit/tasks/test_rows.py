"""From data files to splits of items, and rows in the shape of a data set for TRL."""

from __future__ import annotations

import datetime
import decimal
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pyarrow
import pyarrow.parquet as parquet
import pytest

from backsight.errors import DataError, RewardError
from backsight.tasks.cells import number_text
from backsight.tasks.rows import RowsTask

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}]


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def prompts(task: RowsTask, split: str) -> list[Any]:
    return [item.prompt for item in task.items(split)]


def only_item(tmp_path: Path, row: Mapping[str, Any]) -> Any:
    source = write(tmp_path / "one.jsonl", [row])
    return RowsTask(source, test=source).items("train")[0]


def test_one_source_is_cut_in_two_by_prompt_alone(tmp_path: Path) -> None:
    rows = [{"prompt": f"question {number}"} for number in range(1000)]
    task = RowsTask(write(tmp_path / "rows.jsonl", rows))
    train, test = prompts(task, "train"), prompts(task, "test")
    assert sorted(train + test) == sorted(row["prompt"] for row in rows)
    assert 70 <= len(test) <= 130  # a binomial draw: 100 ± 3 standard deviations of 9.5
    assert task.train_split == "train"
    assert task.eval_splits == ("test",)

    again = RowsTask(write(tmp_path / "other.jsonl", list(reversed(rows)) + [{"prompt": "one more"}]))
    assert set(test) <= set(prompts(again, "test"))


def test_the_cut_is_the_same_in_every_version(tmp_path: Path) -> None:
    rows = [{"prompt": f"question {number}"} for number in range(60)]
    assert prompts(RowsTask(write(tmp_path / "rows.jsonl", rows)), "test") == ["question 44", "question 57"]


def test_equal_prompts_fall_to_the_same_side(tmp_path: Path) -> None:
    rows = [{"prompt": [{"role": "user", "content": str(n % 50)}], "n": n} for n in range(200)]
    task = RowsTask(write(tmp_path / "rows.jsonl", rows))
    train, test = ({str(prompt) for prompt in prompts(task, split)} for split in ("train", "test"))
    assert train and test and not train & test


def test_splits_from_sources_of_their_own(tmp_path: Path) -> None:
    names = ("train", "test", "ood")
    sources = {name: write(tmp_path / f"{name}.jsonl", [{"prompt": name}]) for name in names}
    task = RowsTask(sources["train"], test=sources["test"], ood=sources["ood"])
    assert {name: prompts(task, name) for name in names} == {name: [name] for name in names}
    assert task.eval_splits == ("test", "ood")
    with pytest.raises(DataError, match="did you mean 'test'"):
        task.items("tset")


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="split 'test'.*none of 1 items fell to it"):
        RowsTask(write(tmp_path / "rows.jsonl", [{"prompt": "question 0"}]))


def test_a_prompt_is_taken_as_it_stands(tmp_path: Path) -> None:
    assert only_item(tmp_path, {"prompt": "Q: 2 + 2\nA: "}).prompt == "Q: 2 + 2\nA: "
    assert only_item(tmp_path, {"prompt": CHAT}).prompt == CHAT


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        ({}, None),
        ({"completion": " four"}, " four"),
        ({"completion": [{"role": "assistant", "content": "four"}]}, "four"),
        ({"completion": " four", "target": "4"}, " four"),
        ({"completion": None, "target": 4}, "4"),
        ({"target": {"answer": 4}}, None),
        ({"target": ""}, None),
        ({"target": "  ", "completion": ""}, None),
        ({"target": math.nan}, None),
        ({"target": []}, None),
        ({"target": 72.0}, "72"),
        ({"target": ["", 72]}, "72"),
        ({"target": [None, " ", "a"]}, "a"),
        ({"completion": [{"role": "assistant", "content": ""}]}, None),
        ({"completion": [{"role": "assistant", "content": None, "tool_calls": [{"name": "add"}]}]}, None),
        ({"target": -3.0}, "-3"),
        ({"target": 0.5}, "0.5"),
        ({"target": 1e300}, "1e+300"),
        ({"target": ["Paris", "paris"]}, "Paris"),
        ({"target": [1.0, "one"]}, "1"),
        ({"target": [["1", "2"]]}, None),
        ({"completion": [{"role": "user", "content": "2 + 2"}, {"role": "assistant", "content": "4"}]}, "4"),
    ],
)
def test_the_gold_answer(tmp_path: Path, columns: dict[str, Any], target: str | None) -> None:
    assert only_item(tmp_path, {"prompt": "2 + 2", **columns}).target == target


def test_values_of_parquet_files(tmp_path: Path) -> None:
    def target(values: Any) -> Any:
        source = tmp_path / "rows.parquet"
        parquet.write_table(pyarrow.table({"prompt": ["p"], "target": pyarrow.array([values])}), source)
        return RowsTask(source, test=source).items("train")[0].target

    assert target(decimal.Decimal("1.50")) == "1.50"
    assert target(decimal.Decimal("72.00")) == "72"
    assert target(numpy.float32(0.1)) == "0.1"
    assert target(numpy.float16(0.2)) == "0.2"
    assert target(math.nan) is None
    assert target(7.0) == "7"
    for value in (datetime.date(2026, 1, 31), datetime.datetime(2026, 1, 31, 12), b"bytes", datetime.time(1)):
        with pytest.raises(DataError, match="row 1, column 'target'.*write text or a number"):
            target(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (numpy.float32(2.0), "2"),
        (numpy.float64(2.5), "2.5"),
        (numpy.int64(-7), "-7"),
        (decimal.Decimal("1E+2"), "100"),
        (decimal.Decimal("NaN"), None),
        (True, "True"),
        ("7", None),
    ],
)
def test_numbers_as_text(value: Any, text: str | None) -> None:
    assert number_text(value) == text


def test_any_of_several_right_answers_is_right(tmp_path: Path) -> None:
    source = write(tmp_path / "rows.jsonl", [{"prompt": "capital", "target": ["Paris", "paris"]}])
    task = RowsTask(source, test=source)
    item = task.items("train")[0]
    assert [task.judge(item, said).reward for said in ("Paris", " paris\n", "Rome", "")] == [1.0, 1.0, 0.0, 0.0]


def test_rows_without_any_gold_answer_have_no_judge(tmp_path: Path) -> None:
    source = write(tmp_path / "rows.jsonl", [{"prompt": "p", "target": ""}, {"prompt": "q"}])
    with pytest.raises(RewardError, match="rows.jsonl: no row has a gold answer"):
        RowsTask(source, test=source).feedback()


def test_messages_as_other_programs_write_them(tmp_path: Path) -> None:
    """Content in parts, fields that hold nothing, and a message that calls a tool and says no word."""
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    parts = {"role": "user", "content": [{"type": "text", "text": "2 +"}, {"type": "text", "text": " 2"}], "name": None}
    assert only_item(tmp_path, {"prompt": [parts, call]}).prompt == [
        {"role": "user", "content": "2 + 2"},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]},
    ]


def test_every_further_column_reaches_the_item(tmp_path: Path) -> None:
    item = only_item(tmp_path, {"prompt": "p", "completion": "c", "target": "t", "level": 3})
    assert item.columns == {"target": "t", "level": 3}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"question": "p", "answer": "a"}, "row 2: no column 'prompt': .*question, answer"),
        ({"prompt": "  "}, "row 2, column 'prompt'"),
        ({"prompt": None}, "row 2, column 'prompt'"),
        ({"prompt": []}, "row 2, column 'prompt'"),
        ({"prompt": [{"role": "user"}]}, "row 2, column 'prompt'"),
        ({"prompt": [{"role": "user", "content": [{"type": "image"}]}]}, "row 2, column 'prompt'"),
        ({"prompt": "p", "completion": 4}, "row 2, column 'completion'"),
        ({"prompt": "p", "completion": CHAT}, "row 2, column 'completion'.*last message has to be the answer"),
        ({"prompt": [*CHAT, {"role": "user", "content": None}]}, "row 2, column 'prompt', message 3"),
        ({"prompt": [{"content": "x"}]}, "row 2, column 'prompt', message 1"),
        ({"prompt": "p", "target": math.inf}, "row 2, column 'target'.*write text or a number"),
    ],
)
def test_an_unusable_row_names_file_row_and_column(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=f"rows.jsonl: {reason}"):
        RowsTask(write(tmp_path / "rows.jsonl", [{"prompt": "p"}, row]))


@pytest.mark.parametrize(
    ("prompt", "room", "kept"),
    [
        ("one two  three\nfour", 100, "one two  three\nfour"),
        ("one two  three\nfour", 18, "one two  three"),
        ("one two  three\nfour", 13, "one two"),
        ("one two  three\nfour", 3, "one"),
        ("one two", 2, None),
        ("今日は良い天気です", 4, "今日は良"),
        ([{"role": "user", "content": "one two"}], 3, None),
    ],
)
def test_words_are_dropped_from_the_end_until_a_prompt_fits(
    tmp_path: Path, prompt: Any, room: int, kept: str | None
) -> None:
    source = write(tmp_path / "rows.jsonl", [{"prompt": prompt, "completion": " gold", "level": 1}])
    task = RowsTask(source, test=source)
    item = task.items("train")[0]
    cut = task.shorten(item, lambda prompt: len(prompt) <= room)
    assert cut == (None if kept is None else replace(item, prompt=kept))


def test_the_judge_compares_with_the_gold_answer(tmp_path: Path) -> None:
    source = write(tmp_path / "rows.jsonl", [{"prompt": "2 + 2", "completion": " four"}])
    task = RowsTask(source, test=source)
    assert task.validate("train") == 1
    right, wrong = (task.judge(task.items("train")[0], text) for text in ("four\n", "five"))
    assert (right.reward, right.success, right.rewards, right.sources) == (
        1.0,
        True,
        {"exact": 1.0},
        ("rows",),
    )
    assert (wrong.reward, wrong.success, wrong.rewards) == (0.0, False, {"exact": 0.0})


def test_without_a_gold_answer_the_judge_has_nothing_to_say(tmp_path: Path) -> None:
    source = write(tmp_path / "rows.jsonl", [{"prompt": "p"}])
    task = RowsTask(source, test=source)
    feedback = task.judge(task.items("train")[0], "anything")
    assert (feedback.reward, feedback.success) == (None, None)
    assert task.validate("train") == 0
