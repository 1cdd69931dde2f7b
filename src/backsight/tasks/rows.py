"""Tasks made of rows: `FileTask`, which turns data files into splits of items, and `RowsTask`, for any columns."""

from __future__ import annotations

import ast
import bisect
import copy
import json
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

from backsight.errors import DataError, nearest
from backsight.seeds import derive_seed
from backsight.tasks.base import Item, PromptTask
from backsight.tasks.files import read_rows
from backsight.types import Feedback, Messages, Observation, is_chat

Member = TypeVar("Member")

TEST_SHARE = 0.1
"""Share of the items that go to the test split when only one source is given."""

UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Regular expression of a character of Chinese or Japanese, which put no spaces between words."""

WORD = re.compile(rf"{UNSPACED.pattern}|(?:(?!{UNSPACED.pattern})\S)+")
"""Regular expression of a word, or of a character of a script without spaces; long prompts are shortened by these."""

_OWN_COLUMNS = ("prompt", "completion")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a source, with its number (from 1), so that an error message can name the place."""

    source: str
    number: int
    columns: Mapping[str, Any]

    @property
    def place(self) -> str:
        return f"{self.source}: row {self.number}"

    def unusable(self, column: str, remedy: str) -> DataError:
        """Return the error for a cell that cannot be used."""
        return DataError(f"{self.place}, column '{column}'", repr(self.columns[column]), remedy)

    def cell(self, column: str) -> Any:
        """Return the content of a column.

        Raises:
            DataError: when there is no such column.
        """
        if column not in self.columns:
            remedy = f"rename one of the columns that are there: {', '.join(self.columns)}"
            raise DataError(self.place, f"no column '{column}'", remedy)
        return self.columns[column]

    def text(self, column: str) -> str:
        """Return a cell that has to hold text, as it stands there.

        Raises:
            DataError: when there is no such column, or no text in it.
        """
        cell = self.cell(column)
        if not isinstance(cell, str) or not cell.strip():
            raise self.unusable(column, "write text there, or remove the row")
        return cell

    def texts(self, column: str) -> list[str]:
        """Return a cell that has to hold a list of one or more texts.

        In a CSV file the list is text, written as in Python or JSON.

        Raises:
            DataError: when there is no such column, or something else is in it.
        """
        cell = self.cell(column)
        texts = _literal(cell) if isinstance(cell, str) else cell
        is_list_of_text = isinstance(texts, list) and all(isinstance(text, str) and text.strip() for text in texts)
        if not is_list_of_text or not texts:
            raise self.unusable(column, "write a list of one or more texts, none of them empty")
        return [text.strip() for text in texts]

    def messages(self, column: str) -> Messages:
        """Return a cell that has to hold chat messages, as they stand there.

        Raises:
            DataError: when there is no such column, or something else is in it.
        """
        messages = self.cell(column)
        if not is_chat(messages):
            raise self.unusable(column, 'write messages as [{"role": "user", "content": "text"}]')
        return messages


class FileTask(PromptTask):
    """A task whose items come from data files.

    `data` becomes the train split. Without `test`, about a tenth of it is held back as the test split: the side of an
    item depends only on its start (its prompt, unless a task overrides `start_of`), so that it is the same in every
    run, and equal starts fall to the same side. `ood`, data from another domain, is only evaluated. See `read_rows` for
    what a source may be.

    Raises:
        DataError: when a source cannot be read, a row cannot be used, or a split has no items.
    """

    cue = ""
    """Text that stands in a prompt behind the user's text."""
    unit = "item"
    """Word for an item, for the error about a source without any."""

    def __init__(self, data: str, *, test: str | None = None, ood: str | None = None) -> None:
        items = self._read("train", data)
        if test is None:
            items, tested = without_test(items, self.start_of)
        else:
            tested = self._read("test", test)
        self._items = {"train": items, "test": tested}
        self.sources = {"train": data, "test": test or data}
        if ood is not None:
            self._items["ood"] = self._read("ood", ood)
            self.sources["ood"] = ood
        self.eval_splits = tuple(self._items)[1:]
        for split, members in self._items.items():
            if not members:
                remedy = f"none of {len(items) + len(tested)} items fell to it; give it a file of its own"
                raise DataError(f"split '{split}'", self.sources[split], remedy)

    def items(self, split: str) -> Sequence[Item]:
        if split not in self._items:
            raise DataError("split", split, nearest(split, self._items))
        return self._items[split]

    def start_of(self, item: Item) -> Observation:
        """Return how an item begins: items that begin alike fall to the same side of the split."""
        return item.prompt

    def shorten(self, item: Item, fits: Callable[[Observation], bool]) -> Item | None:
        """Return the item without the last words of the user's text; None if nothing fits, or for chat messages."""
        if not isinstance(item.prompt, str):
            return None
        text = item.prompt.removesuffix(self.cue)
        ends = [word.end() for word in WORD.finditer(text)]
        kept = bisect.bisect_left(ends, True, key=lambda end: not fits(text[:end] + self.cue))
        return replace(item, prompt=text[: ends[kept - 1]] + self.cue) if kept else None

    def with_items(self, items: Mapping[str, Sequence[Item]]) -> Self:
        twin = copy.copy(self)
        twin._items = {**self._items, **{split: list(own) for split, own in items.items()}}
        twin.eval_splits = tuple(twin._items)[1:]
        return twin

    @abstractmethod
    def items_from(self, rows: Sequence[Row]) -> list[Item]:
        """Make the items of one source. An item's id is the number of the (first) row it was made from."""

    def _read(self, split: str, source: str) -> list[Item]:
        rows = read_numbered_rows(source)
        items = self.items_from(rows)
        if not items:
            remedy = f"no {self.unit} in its {len(rows)} rows; give it a file with some"
            raise DataError(f"split '{split}'", source, remedy)
        return items


class RowsTask(FileTask):
    """A task of any rows with a column `prompt`, text or chat messages: the shape of a data set for TRL.

    The gold answer, where there is one, is the column `completion` (text or messages) or else `target` (text
    or a number). Every column but `prompt` and `completion` is passed on, for reward functions to ask for by
    name. The judge compares with the gold answer; without one it gives no reward, so that reward functions are
    needed.
    """

    name = "rows"

    def items_from(self, rows: Sequence[Row]) -> list[Item]:
        return [
            Item(
                id=str(row.number),
                prompt=_prompt(row),
                target=_target(row),
                columns={name: row.columns[name] for name in row.columns if name not in _OWN_COLUMNS},
            )
            for row in rows
        ]

    def judge(self, item: Item, completion: str) -> Feedback:
        if item.target is None:
            return Feedback()
        is_exact = completion.strip() == item.target.strip()
        exact = float(is_exact)
        return Feedback(rewards={"exact": exact}, reward=exact, success=is_exact, sources=(self.name,))


def read_numbered_rows(source: str) -> list[Row]:
    """Read the rows of a source, and number them from 1; see `read_rows`."""
    return [Row(source, number, columns) for number, columns in enumerate(read_rows(source), start=1)]


def without_test(
    members: Sequence[Member], start_of: Callable[[Member], Observation]
) -> tuple[list[Member], list[Member]]:
    """Divide members into those to train on and about a tenth to test on, by how each starts and by nothing else."""
    sides: tuple[list[Member], list[Member]] = ([], [])
    for member in members:
        start = json.dumps(start_of(member), sort_keys=True)
        sides[derive_seed("test split", start) < TEST_SHARE * 2**63].append(member)
    return sides


def _literal(text: str) -> Any:
    """Return the value of a JSON or Python literal; None for any other text."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None


def _prompt(row: Row) -> Observation:
    cell = row.cell("prompt")
    return row.messages("prompt") if isinstance(cell, list) else row.text("prompt")


def _target(row: Row) -> str | None:
    completion = row.columns.get("completion")
    if isinstance(completion, list):
        return "".join(message["content"] for message in row.messages("completion"))
    if completion is not None:
        return row.text("completion")
    target = row.columns.get("target")
    return str(target) if isinstance(target, str | int | float) else None
