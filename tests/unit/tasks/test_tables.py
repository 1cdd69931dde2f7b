"""Rows that are at hand in Python: lists, data sets and frames."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Callable
from typing import Any

import numpy
import pytest

from backsight.errors import DataError
from backsight.tasks.conversations import ConversationsTask
from backsight.tasks.rows import RowsTask
from backsight.tasks.sentiment import SentimentTask
from backsight.tasks.tables import read_source, source_name

CHAT = [{"role": "user", "content": "2 + 2?"}]
ROWS: list[dict[str, Any]] = [
    {"prompt": CHAT, "target": "4", "level": 1},
    {"prompt": CHAT, "target": None, "level": 2},
]


def as_dataset(rows: list[dict[str, Any]]) -> Any:
    return pytest.importorskip("datasets").Dataset.from_list(rows)


def as_pandas(rows: list[dict[str, Any]]) -> Any:
    return pytest.importorskip("pandas").DataFrame(rows)


def as_polars(rows: list[dict[str, Any]]) -> Any:
    return pytest.importorskip("polars").DataFrame(rows)


KINDS = [list, tuple, as_dataset, as_pandas, as_polars]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_every_kind_are_the_same(kind: Callable[[Any], Any]) -> None:
    assert read_source(kind(ROWS)) == ROWS
    task = RowsTask(kind(ROWS), test=kind(ROWS[:1]))
    first, second = task.items("train")
    assert (first.prompt, first.target, second.target) == (CHAT, "4", None)
    assert first.columns == {"target": "4", "level": 1} and type(first.columns["level"]) is int
    assert len(task.items("test")) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_names_the_place(kind: Callable[[Any], Any]) -> None:
    rows = kind([{"prompt": "p"}, {"prompt": "q"}, {"prompt": " "}])
    place = rf"^{source_name(rows)}: row 3, column 'prompt': ' ': write text there"
    with pytest.raises(DataError, match=place):
        RowsTask(rows)


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows_are_refused(kind: Callable[[Any], Any]) -> None:
    with pytest.raises(DataError, match="^data: the .*: holds no rows; give at least one"):
        RowsTask(kind([]))


def test_cells_of_a_list_are_plain_values() -> None:
    when = datetime.datetime(2026, 1, 2)
    cells = {
        "text": numpy.str_("a"),
        "count": numpy.int64(3),
        "share": numpy.float32(0.1),
        "is_good": numpy.bool_(True),
        "prompt": numpy.array(CHAT, dtype=object),
        "numbers": (1, numpy.array([2.5, math.nan])),
        "nothing": math.nan,
        "when": when,
        "price": decimal.Decimal("1.50"),
    }
    (row,) = read_source([cells])
    assert row == {
        "text": "a",
        "count": 3,
        "share": 0.1,
        "is_good": True,
        "prompt": CHAT,
        "numbers": [1, [2.5, None]],
        "nothing": None,
        "when": when,
        "price": decimal.Decimal("1.50"),
    }
    assert [type(row[name]) for name in ("text", "count", "share", "is_good")] == [str, int, float, bool]


def test_cells_of_a_frame_are_plain_values() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "prompt": ["a", "b"],
            "label": pandas.Categorical(["good", None]),
            "whole": pandas.array([1, None], dtype="Int64"),
            "share": numpy.array([0.1, numpy.nan], dtype="float32"),
            "when": pandas.to_datetime(["2026-01-02", None]),
            "words": [numpy.array(["x", "y"], dtype=object), None],
            3: [True, False],
        }
    )
    first, second = read_source(frame)
    assert first["when"] == datetime.datetime(2026, 1, 2)
    del first["when"]
    assert first == {"prompt": "a", "label": "good", "whole": 1, "share": 0.1, "words": ["x", "y"], "3": True}
    assert second == {"prompt": "b", **dict.fromkeys(("label", "whole", "share", "when", "words")), "3": False}


def test_a_filtered_data_set_and_one_that_gives_tensors() -> None:
    data = as_dataset([{"prompt": "a", "share": 0.5}, {"prompt": "b", "share": 0.25}])
    chosen = data.filter(lambda row: row["prompt"] == "b").with_format("numpy")
    assert read_source(chosen) == [{"prompt": "b", "share": 0.25}]


def test_splits_of_a_dictionary() -> None:
    datasets = pytest.importorskip("datasets")
    train, test, other = ([{"prompt": name}] for name in ("train", "test", "other"))
    splits = datasets.DatasetDict({"train": as_dataset(train), "test": as_dataset(test)})
    for data in (splits, {"train": train, "test": test}, {"train": train, "validation": test}):
        task = RowsTask(data)
        assert [[item.prompt for item in task.items(split)] for split in ("train", "test")] == [["train"], ["test"]]
    assert RowsTask(splits, test=other).items("test")[0].prompt == "other"
    with pytest.raises(DataError, match="^data: the dict of test: has no split 'train'"):
        RowsTask({"test": test})


def test_other_tasks_take_rows_too() -> None:
    rows = [{"text": "fine", "label": "good"}, {"text": "no", "label": "bad"}]
    assert SentimentTask(rows, test=rows).labels == ("bad", "good")
    with pytest.raises(DataError, match="^the list of rows: row 1, column 'label': better: not a label"):
        SentimentTask(rows, test=[{"text": "fine", "label": "better"}])
    talk = [{"messages": [*CHAT, {"role": "assistant", "content": "4", "reward": 1.0}]}]
    assert ConversationsTask(talk, test=talk).items("train")[0].target == " 4"


def test_rows_are_copied() -> None:
    rows = [{"prompt": [dict(CHAT[0])], "level": [1]}]
    task = RowsTask(rows, test=rows)
    rows[0]["prompt"][0]["content"] = "changed"  # type: ignore[index]
    rows[0]["level"].append(2)
    assert task.items("train")[0].prompt == CHAT
    assert task.items("train")[0].columns == {"level": [1]}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (7, "^data: 7: give a path, a hub id, a list of dictionaries"),
        (b"rows.jsonl", "^data: b'rows.jsonl': give a path"),
        ((row for row in ROWS), r"^data: the generator: has no length; take as many rows as you need: list\(rows\)$"),
        (["a prompt"], "^the list of rows: row 1: 'a prompt': no row; write"),
        ([{"prompt": "a"}, {1: "b"}], "^the list of rows: row 2: .*: no row; write"),
        ([{"prompt": "\ud800"}], "^the list of rows: row 1, column 'prompt': .*: holds half a character"),
        ({"prompt": ["a", "b"]}, "^data: the dict of prompt: has no split 'train'"),
    ],
)
def test_what_holds_no_rows_is_one_line(rows: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        RowsTask(rows)


def test_a_stream_has_no_length() -> None:
    stream = as_dataset(ROWS).to_iterable_dataset()
    with pytest.raises(DataError, match=r"^data: the IterableDataset: has no length; .*: list\(rows.take\(1000\)\)$"):
        RowsTask(stream)
    assert len(RowsTask(list(stream.take(2)), test=ROWS).items("train")) == 2


def test_two_columns_of_one_name_are_refused() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(DataError, match="^the DataFrame: prompt,prompt: two columns share a name"):
        RowsTask(pandas.DataFrame([["a", "b"]], columns=["prompt", "prompt"]))
