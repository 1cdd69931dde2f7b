"""Data files as people have them: well-formed, with the marks of other systems, and broken."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backsight.errors import DataError
from backsight.tasks.files import hub_name, read_rows

ROWS = [{"text": "naïve café", "label": "positive"}, {"text": 'a "b",\nc', "label": "negative"}]


def write(path: Path, content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def as_json_lines(rows: list[dict[str, str]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.ndjson", "rows.JSON"])
def test_json_lines_read_back(tmp_path: Path, name: str) -> None:
    assert read_rows(write(tmp_path / name, as_json_lines(ROWS))) == ROWS


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_csv_reads_back_with_quotes_and_line_breaks_in_fields(tmp_path: Path, name: str) -> None:
    plain = tmp_path / "plain.csv"
    with plain.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["text", "label"])
        writer.writeheader()
        writer.writerows(ROWS)
    assert read_rows(write(tmp_path / name, plain.read_bytes())) == ROWS


def test_csv_may_hold_long_documents(tmp_path: Path) -> None:
    document = "word " * 50_000
    assert read_rows(write(tmp_path / "long.csv", f"text\n{document}\n")) == [{"text": document}]


def test_parquet_reads_back_with_lists(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"source": "a", "references": ["b", "c"]}, {"source": "d", "references": ["e"]}]
    path = tmp_path / "rows.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    assert read_rows(str(path)) == rows


def test_parquet_columns_that_share_a_name_are_refused(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows.parquet"
    parquet.write_table(pyarrow.table([["x"], ["y"], ["z"]], names=["a", "b", "a"]), path)
    with pytest.raises(DataError, match="rows.parquet: a,b,a: two columns share a name; rename one"):
        read_rows(str(path))


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.jsonl.gz", "rows.csv.gz"])
def test_byte_order_mark_and_windows_line_ends_are_tolerated(tmp_path: Path, name: str) -> None:
    content = {"rows.jsonl": '{"text": "a"}\r\n{"text": "b"}\r\n', "rows.csv": "text\r\na\r\nb\r\n"}[
        name.removesuffix(".gz")
    ]
    assert read_rows(write(tmp_path / name, b"\xef\xbb\xbf" + content.encode())) == [
        {"text": "a"},
        {"text": "b"},
    ]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.jsonl.gz"])
def test_every_script_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    text = "עברית ‏مرحبا‎ 今日は 👩‍💻🙂 e\u0301"
    content = f"text\n{text}\n" if name == "rows.csv" else as_json_lines([{"text": text}])
    assert read_rows(write(tmp_path / name, content)) == [{"text": text}]


@pytest.mark.parametrize("write_chat", [json.dumps, repr, lambda chat: json.dumps(chat, indent=1)])
def test_chat_in_a_cell_of_a_csv_file_is_chat(tmp_path: Path, write_chat: Callable[[Any], str]) -> None:
    chat = [{"role": "user", "content": 'say "a, b"\n'}, {"role": "assistant", "content": None}]
    path = tmp_path / "chat.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["prompt", "note"], [write_chat(chat), '[1] the "role": of a list']])
    assert read_rows(path) == [{"prompt": chat, "note": '[1] the "role": of a list'}]


@pytest.mark.parametrize(
    "cell", ["[{'role': 'user', 'content': 'a'}\n {'role': 'x'}]", "array([{'role': 'user'}], dtype=object)"]
)
def test_chat_that_cannot_be_read_is_not_taken_for_text(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "chat.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["prompt"], [cell]])
    with pytest.raises(DataError, match=r"chat.csv:\d.*looks like chat messages"):
        read_rows(path)


@pytest.mark.parametrize("name", ["rows.jsonl.gz", "rows.csv.gz"])
def test_a_file_that_unpacks_to_far_more_than_text_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with gzip.open(path, "wb") as file:
        for _ in range(300):
            file.write(bytes(2**20))
    with pytest.raises(DataError, match=r"more than [\d,]+ bytes unpacked"):
        read_rows(path)


@pytest.mark.parametrize(
    ("value", "kind"), [(2**62, "timestamp[us]"), (2**30, "date32"), (1, "timestamp[us, tz=Mars/Phobos]")]
)
def test_values_of_a_parquet_file_that_python_has_not_are_one_line(tmp_path: Path, value: int, kind: str) -> None:
    import pyarrow
    from pyarrow import parquet

    types = {"date32": pyarrow.date32(), "timestamp[us]": pyarrow.timestamp("us")}
    column = pyarrow.array([value], types.get(kind, pyarrow.timestamp("us", tz="Mars/Phobos")))
    parquet.write_table(pyarrow.table({"day": column}), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="rows.parquet: .*write it again"):
        read_rows(tmp_path / "rows.parquet")


def test_a_parquet_file_of_countless_rows_is_refused(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    path = tmp_path / "rows.parquet"
    parquet.write_table(pyarrow.table({"text": pyarrow.nulls(200_000_000)}), path)
    with pytest.raises(DataError, match="unpacked"):
        read_rows(path)


@pytest.mark.parametrize("name", ["a b.jsonl", "x #2.jsonl", "größe.jsonl", "数据.jsonl", "100%.jsonl", "a'\"b.jsonl"])
def test_names_of_files_may_hold_anything(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path, as_json_lines(ROWS))
    assert read_rows(path) == read_rows(str(path)) == ROWS


@pytest.mark.parametrize(
    "source", ["a" * 5_000 + ".jsonl", "a\0b.jsonl", "~nobody-of-this-name/x.jsonl", 7, b"x.jsonl", [{"prompt": "p"}]]
)
def test_paths_that_cannot_be_are_one_line(source: Any) -> None:
    with pytest.raises(DataError, match="^data: ") as caught:
        read_rows(source)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 300


def test_line_separators_inside_a_json_string_do_not_cut_it(tmp_path: Path) -> None:
    row = {"text": "one\u2028two\x85three"}
    assert read_rows(write(tmp_path / "rows.jsonl", as_json_lines([row]))) == [row]


def test_blank_lines_are_skipped_and_still_counted(tmp_path: Path) -> None:
    source = write(tmp_path / "rows.jsonl", '{"a": 1}\n\n{"a": 2}\nbroken\n')
    with pytest.raises(DataError) as caught:
        read_rows(source)
    assert caught.value.field == f"{source}:4"


@pytest.mark.parametrize(
    ("name", "content", "line", "reason"),
    [
        ("rows.jsonl", '{"a": 1}\n{"a": \n', 2, "not JSON"),
        ("rows.jsonl", '{"a": 1}\n[1, 2]\n', 2, "no object"),
        ("rows.jsonl", '{"a": "\\ud800"}\n', 1, "surrogates not allowed"),
        ("rows.jsonl", "[" * 100_000, 1, "not JSON"),
        ("rows.jsonl", b'{"a": 1}\n{"a": "\xff"}\n', 2, "UTF-8"),
        ("rows.jsonl.gz", b'{"a": 1}\n{"a": "\xff"}\n', 2, "UTF-8"),
        ("rows.csv", "a,b\n1,2\n1,2,3\n", 3, "3 fields where the header has 2"),
        ("rows.csv", "a,b\n1\n", 2, "1 fields where the header has 2"),
        ("rows.csv", 'a,b\n"1,2\n', 2, "not CSV"),
        ("rows.csv", "a,a\n1,2\n", 1, "share a name"),
        ("rows.jsonl", '{"a": 1}\n{"a": 1, "b": 2, "a": 3}\n', 2, "two values are named 'a'; keep one of them"),
        ("rows.jsonl", '{"messages": [{"role": "user", "role": "user"}]}\n', 1, "two values are named 'role'"),
    ],
)
def test_malformed_text_names_file_and_line(
    tmp_path: Path, name: str, content: str | bytes, line: int, reason: str
) -> None:
    source = write(tmp_path / name, content)
    with pytest.raises(DataError, match=reason) as caught:
        read_rows(source)
    assert caught.value.field == f"{source}:{line}"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl", ""),
        ("rows.jsonl", "\n \n"),
        ("rows.csv", ""),
        ("rows.csv", "a,b\n"),
        ("rows.jsonl.gz", ""),
    ],
)
def test_a_file_without_rows_is_refused(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(DataError, match="empty"):
        read_rows(write(tmp_path / name, content))


@pytest.mark.parametrize("data", [b"plain text", gzip.compress(b'{"a": 1}\n' * 100, mtime=0)[:-12], b""])
def test_a_damaged_gzip_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(data)
    with pytest.raises(DataError):
        read_rows(str(path))


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(DataError, match="Parquet"):
        read_rows(write(tmp_path / "rows.parquet", "PAR1 and nothing else"))


@pytest.mark.parametrize(
    "source",
    ["missing.jsonl", "./missing", "/no/such/file", "folder/missing.csv.gz", "missing", "~/x/y.parquet", ""],
)
def test_a_path_that_is_not_there_is_never_asked_of_the_hub(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", fake_datasets(lambda name, split: pytest.fail("asked the Hub")))
    with pytest.raises(DataError):
        read_rows(source)


@pytest.mark.parametrize(
    ("source", "name"),
    [("owner/name", "owner/name"), ("owner/name:test", "owner/name"), ("owner/rows.jsonl", None), ("./a", None)],
)
def test_a_data_set_of_the_hub_has_a_name(source: str, name: str | None) -> None:
    assert hub_name(source) == name


def test_a_path_that_is_there_is_no_data_set_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert hub_name("owner/name") is None


def test_a_folder_or_a_foreign_format_is_refused_with_the_formats(tmp_path: Path) -> None:
    for source in (str(tmp_path), write(tmp_path / "rows.xlsx", "x")):
        with pytest.raises(DataError, match=r"\.jsonl.*\.csv.*\.parquet"):
            read_rows(source)


@pytest.mark.parametrize(("package", "source"), [("pyarrow", "rows.parquet"), ("datasets", "owner/name")])
def test_a_missing_library_comes_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, source: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "rows.parquet", "x")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DataError, match=r"pip install 'backsight\[data\]'"):
        read_rows(source)


class FakeDataset:
    """The Hub cannot be reached from a test: this is as much of a `datasets.Dataset` as is used."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def to_list(self) -> list[dict[str, Any]]:
        return self.rows


def fake_datasets(load: Callable[[str, str], list[dict[str, Any]]]) -> types.ModuleType:
    module = types.ModuleType("datasets")
    module.load_dataset = lambda name, split: FakeDataset(load(name, split))  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize(
    ("source", "split"), [("owner/data-set.v2", "train"), ("owner/data-set.v2:validation", "validation")]
)
def test_a_hub_id_is_loaded_with_its_split(source: str, split: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def load(name: str, wanted: str) -> list[dict[str, Any]]:
        asked.append((name, wanted))
        return [{"prompt": "a"}]

    monkeypatch.setitem(sys.modules, "datasets", fake_datasets(load))
    assert read_rows(source) == [{"prompt": "a"}]
    assert asked == [("owner/data-set.v2", split)]


def test_an_existing_path_wins_over_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner").mkdir()
    write(tmp_path / "owner" / "rows.jsonl", '{"a": 1}\n')
    assert read_rows("owner/rows.jsonl") == [{"a": 1}]


def test_what_the_hub_raises_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, split: str) -> list[dict[str, Any]]:
        raise ConnectionError("no network\nat all")

    monkeypatch.setitem(sys.modules, "datasets", fake_datasets(load))
    with pytest.raises(DataError, match="owner/name:train: ConnectionError: no network at all: ") as caught:
        read_rows("owner/name")
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_tasks_import_neither_torch_nor_the_libraries_for_data() -> None:
    code = (
        "import sys, backsight.tasks.rows, backsight.tasks.sentiment\n"
        "import backsight.tasks.summarization, backsight.tasks.translation\n"
        "print(sorted({'torch', 'pyarrow', 'datasets', 'sacrebleu', 'rouge_score', 'transformers'} & set(sys.modules)))"
    )
    source = str(Path(__file__).parents[3] / "src")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": source}
    )
    assert done.stdout.strip() == "[]"


def test_spaces_around_the_names_of_columns_do_not_count(tmp_path: Path) -> None:
    assert read_rows(write(tmp_path / "rows.csv", "prompt, target\n2 + 2, 4\n")) == [
        {"prompt": "2 + 2", "target": " 4"}
    ]
