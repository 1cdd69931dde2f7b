"""Tasks made of rows: `FileTask`, which turns sources of rows into splits of items, and `RowsTask`, for any columns."""

from __future__ import annotations

import bisect
import copy
import json
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, TypeVar

from backsight.errors import DataError, RewardError, nearest
from backsight.interfaces import FeedbackSource
from backsight.seeds import derive_seed
from backsight.tasks.base import Item, PromptTask
from backsight.tasks.cells import Row, is_missing, number_text, read_numbered_rows
from backsight.tasks.forms import INSTRUCTION, PLAIN, SHOTS, SYSTEM_PROMPT, PromptForm
from backsight.tasks.scripts import WORD
from backsight.tasks.tables import Source, source_by_split, source_name
from backsight.types import Feedback, Observation

Member = TypeVar("Member")

TEST_SHARE = 0.1
"""Share of the items that go to the test split when only one source is given."""

_OWN_COLUMNS = ("prompt", "completion")


class FileTask(PromptTask):
    """A task whose items come from rows, in data files or at hand.

    `data` becomes the train split. Without `test`, about a tenth of it is held back as the test split: the side of an
    item depends only on its start (its prompt, unless a task overrides `start_of`), so that it is the same in every
    run, and equal starts fall to the same side. `ood`, data from another domain, is only evaluated. See `Source` for
    what a source may be.

    Raises:
        DataError: when a source cannot be read, a row cannot be used, or a split has no items.
    """

    cue = ""
    """Text that stands in a plain prompt behind the user's text."""
    unit = "item"
    """Word for an item, for the error about a source without any."""
    form: PromptForm = PLAIN
    sources: Mapping[str, Source] = {}
    """What the splits were read from; nothing for a task that makes its items itself."""

    def __init__(self, data: Source, *, test: Source | None = None, ood: Source | None = None) -> None:
        data, test = source_by_split(data, test)
        items = self._read("train", data)
        if test is None:
            items, tested = without_test(items, self.start_of)
        else:
            tested = self._read("test", test)
        self._items = {"train": items, "test": tested}
        self.sources = {"train": data, "test": data if test is None else test, **({} if ood is None else {"ood": ood})}
        if ood is not None:
            self._items["ood"] = self._read("ood", ood)
        self.eval_splits = tuple(self._items)[1:]
        for split, members in self._items.items():
            if not members:
                count = len(items) + len(tested)
                remedy = f"none of {count} items fell to it; give it rows of its own (test=, eval_data=)"
                raise DataError(f"split '{split}'", source_name(self.sources[split]), remedy)

    def items(self, split: str) -> Sequence[Item]:
        if split not in self._items:
            raise DataError("split", split, nearest(split, self._items))
        return self._items[split]

    def in_form(self, form: PromptForm) -> Self:
        if form == self.form:  # prompts may have been shortened since
            return self
        twin = self.write_in(form)
        twin.form = form
        return twin

    def write_in(self, form: PromptForm) -> Self:
        """Return a copy of the task with its prompts written in a form; by default they stay as they are.

        Raises:
            ConfigError: when a setting of the form does not fit.
        """
        form.refuse(self.name, INSTRUCTION, SYSTEM_PROMPT, SHOTS)
        return self.with_items({})

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

    def _read(self, split: str, source: Source) -> list[Item]:
        rows = read_numbered_rows(source)
        items = self.items_from(rows)
        if not items:
            remedy = f"no {self.unit} in its {len(rows)} rows; give it a source with some"
            raise DataError(f"split '{split}'", source_name(source), remedy)
        return items


class RowsTask(FileTask):
    """A task of any rows with a column `prompt`, text or chat messages: the shape of a data set for TRL.

    The gold answer, where there is one, is the column `completion` (text, messages, or a conversation that ends with
    it) or else `target` (text, a number, or a list of these, any of which is right). An empty cell holds none. Every
    column but `prompt` and `completion` is passed on, for reward functions to ask for by name. The judge compares with
    the gold answer; without one it gives no reward, so that reward functions are needed. Prompts stay as they are, text
    or messages, unless the run chooses ``prompt_format=chat`` or a system prompt.
    """

    name = "rows"

    def items_from(self, rows: Sequence[Row]) -> list[Item]:
        return [_item(row) for row in rows]

    def write_in(self, form: PromptForm) -> Self:
        """Return a copy in the form that was chosen; if none was, prompts stay as the rows hold them, as in TRL.

        Raises:
            ConfigError: when there is an instruction, or there are to be examples.
        """
        form.refuse("RowsTask", INSTRUCTION, SHOTS)
        if not form.is_chosen:
            return self.with_items({})
        wrapped = {
            split: [replace(item, prompt=form.wrap(item.prompt)) for item in items]
            for split, items in self._items.items()
        }
        return self.with_items(wrapped)

    def feedback(self) -> FeedbackSource:
        if all(item.target is None for item in self.items(self.train_split)):
            source = source_name(self.sources[self.train_split])
            raise RewardError("task 'rows'", source, "no row has a gold answer; give gold answers or reward functions")
        return super().feedback()

    def judge(self, item: Item, completion: str) -> Feedback:
        if item.target is None:
            return Feedback()
        answers = [item.target, *_listed(item.columns.get("target"))]
        is_exact = completion.strip() in map(str.strip, answers)
        exact = float(is_exact)
        return Feedback(rewards={"exact": exact}, reward=exact, success=is_exact, sources=(self.name,))


def without_test(
    members: Sequence[Member], start_of: Callable[[Member], Observation]
) -> tuple[list[Member], list[Member]]:
    """Divide members into those to train on and about a tenth to test on, by how each starts and by nothing else."""
    sides: tuple[list[Member], list[Member]] = ([], [])
    for member in members:
        start = json.dumps(start_of(member), sort_keys=True, default=str)
        sides[derive_seed("test split", start) < TEST_SHARE * 2**63].append(member)
    return sides


def _item(row: Row) -> Item:
    has_completion = row.has("completion")
    prompt, target = row.exchange("completion") if has_completion else (row.observation("prompt"), _target(row))
    columns = {name: row.columns[name] for name in row.columns if name not in _OWN_COLUMNS}
    has_answer = target is not None and target.strip()  # a message that only calls tools says nothing
    return Item(id=str(row.number), prompt=prompt, target=target if has_answer else None, columns=columns)


def _target(row: Row) -> str | None:
    """Return the gold answer in the column `target`; None where it is empty, or holds data for reward functions."""
    if not row.has("target"):
        return None
    cell = row.cell("target")
    if isinstance(cell, dict | list):
        return next(iter(_listed(cell)), None)
    written = cell if isinstance(cell, str) else number_text(cell)
    if written is None:
        raise row.unusable("target", "write text or a number there, as it should be answered, or leave it out")
    return written


def _listed(cell: Any) -> list[str]:
    """Return the members of a list of texts and numbers, as text, without those that hold nothing; else none."""
    members = [each for each in cell if not is_missing(each)] if isinstance(cell, list) else []
    written = [each if isinstance(each, str) else number_text(each) for each in members]
    known = [text for text in written if text is not None]
    return known if len(known) == len(members) else []
