"""Tasks of rows with a text about which something is asked: its label, its translation, its summary."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any, ClassVar, Self

from backsight.errors import ConfigError, DataError
from backsight.seeds import derive_seed
from backsight.tasks.base import Item
from backsight.tasks.forms import SHOTS, PromptForm, check_template, fill
from backsight.tasks.rows import FileTask
from backsight.tasks.scripts import WORD
from backsight.tasks.tables import source_name
from backsight.types import Observation


class QuestionTask(FileTask):
    """A task whose prompts are a text of the user's, with a few words that say what is asked of it.

    As plain text a prompt is the text and a cue behind it, from which a base model goes on: the answer begins with a
    space. As chat messages it is an instruction, a template in which columns of the row stand in braces.
    """

    column: ClassVar[str]
    """Name of the column with the text."""
    instruction: ClassVar[str]
    """Template of the user's message in a chat."""
    template: str | None = None
    """Template of the question; None takes the text alone."""
    examples: Sequence[Item] = ()
    """Items of the train split from which solved examples are taken: one more than are shown."""

    def text_of(self, item: Item) -> str:
        """Return the text of the user's."""
        return str(item.columns[self.column]).strip()

    @property
    def chat_shots(self) -> int:
        """Number of solved examples before a question in a chat, unless the run says another."""
        return 0

    def words_for_templates(self) -> Mapping[str, str]:
        """Return what a template may name besides columns; nothing by default."""
        return {}

    def pick_examples(self, items: Sequence[Item], rng: Random) -> Sequence[Item]:
        """Return the items in the order in which they are to be examples; by default a draw."""
        return rng.sample(items, len(items))

    def write_in(self, form: PromptForm) -> Self:
        train = self._items[self.train_split]
        template = form.instruction or (self.instruction if form.is_chat else None)
        if template is not None:
            self._check_columns(check_template(template, {*train[0].columns, *self.words_for_templates()}))
        own = min(self.chat_shots, len(train) - 1) if form.is_chat else 0
        count = own if form.shots is None else form.shots
        if not count < len(train):
            raise ConfigError(SHOTS, count, f"the train split has {len(train)} rows; show fewer")
        twin = self.with_items({})
        twin.form, twin.template = form, template
        ordered = self.pick_examples(train, Random(derive_seed("shots", len(train))))
        twin.examples = ordered[: count + 1] if count else ()
        return twin.with_items({split: [twin._written(item) for item in items] for split, items in self._items.items()})

    def _check_columns(self, names: Sequence[str]) -> None:
        """Raise `DataError` when a row does not have all of these columns."""
        for split, items in self._items.items():
            for item in items:
                for name in names:
                    if name not in item.columns and name not in self.words_for_templates():
                        place = f"{source_name(self.sources[split])}: row {item.id}"
                        raise DataError(place, f"no column '{name}'", "the instruction needs it; add it")

    def shorten(self, item: Item, fits: Callable[[Observation], bool]) -> Item | None:
        """Return the item without the last words of the user's text; None if nothing fits."""
        text = self.text_of(item)
        ends = [word.end() for word in WORD.finditer(text)]
        kept = bisect.bisect_left(ends, True, key=lambda end: not fits(self._prompt(item, text[:end])))
        return replace(item, prompt=self._prompt(item, text[: ends[kept - 1]])) if kept else None

    def _written(self, item: Item) -> Item:
        return replace(item, prompt=self._prompt(item, self.text_of(item)), target=self._answer(item))

    def _answer(self, item: Item) -> str:
        said = str(item.target).strip()
        return said if self.form.is_chat else f" {said}"

    def _prompt(self, item: Item, text: str) -> Observation:
        """Return the prompt of an item with this text, behind solved examples that are other items."""
        shown = [each for each in self.examples if each.columns is not item.columns][: max(0, len(self.examples) - 1)]
        if self.form.is_chat:
            solved = [said for each in shown for said in (self._question(each), self._answer(each))]
            return self.form.messages(*solved, self._question(item, text))
        before = [f"{self._question(each)}{self.cue}{self._answer(each)}\n\n" for each in shown]
        return "".join(before) + self._question(item, text) + self.cue

    def _question(self, item: Item, text: str | None = None) -> str:
        text = self.text_of(item) if text is None else text
        if self.template is None:
            return text
        values: dict[str, Any] = {**item.columns, **self.words_for_templates(), self.column: text}
        return fill(self.template, values)
