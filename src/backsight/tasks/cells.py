"""Rows of a source with their numbers, and what stands in their cells: texts, numbers, chat messages and answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from backsight.errors import DataError
from backsight.settings import plain_value
from backsight.tasks.files import read_literal
from backsight.tasks.tables import Source, is_none, read_source, source_name
from backsight.types import Messages, Observation, is_chat

EXACT_BELOW = 1e16
"""Size below which a whole number in floating point is written out."""
_ASKING = ("system", "developer", "user", "tool", "function")
"""Roles of messages that are no answers."""
_CHAT_SHAPE = 'write messages as [{"role": "user", "content": "text"}]'


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

    def has(self, column: str) -> bool:
        """Return whether there is such a column, and something in it; see `is_missing`."""
        return not is_missing(self.columns.get(column))

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
        texts = read_literal(cell) if isinstance(cell, str) else cell
        is_list_of_text = isinstance(texts, list) and all(isinstance(text, str) and text.strip() for text in texts)
        if not is_list_of_text or not texts:
            raise self.unusable(column, "write a list of one or more texts, none of them empty")
        return [text.strip() for text in texts]

    def messages(self, column: str) -> Messages:
        """Return a cell that has to hold chat messages, without fields that hold nothing.

        Content in parts is joined if all parts are text. A message that calls tools may have no content.

        Raises:
            DataError: when there is no such column, or something else is in it.
        """
        cell = self.cell(column)
        if not isinstance(cell, list) or not cell:
            raise self.unusable(column, _CHAT_SHAPE)
        messages = list(map(_message, cell))
        for number, message in enumerate(messages, start=1):
            if not is_chat([message]):
                place = f"{self.place}, column '{column}', message {number}"
                raise DataError(place, repr(cell[number - 1]), f"needs a role, and content that is text; {_CHAT_SHAPE}")
        return messages

    def observation(self, column: str) -> Observation:
        """Return a cell that has to hold text or chat messages.

        Raises:
            DataError: when there is no such column, or something else is in it.
        """
        return self.messages(column) if isinstance(self.cell(column), list) else self.text(column)

    def exchange(self, column: str) -> tuple[Observation, str]:
        """Return the prompt, and the answer in a column: text, messages, or a conversation that ends with it.

        The prompt stands in the column `prompt`, at the beginning of the conversation, or in both. Where the
        conversation goes on behind the prompt, all of it up to the answer is the prompt.

        Raises:
            DataError: when a column is missing or holds something else, or the two do not fit together.
        """
        if not isinstance(self.cell(column), list):
            return self.observation("prompt"), self.text(column)
        messages = self.messages(column)
        if all(message["role"] not in _ASKING for message in messages):
            return self.observation("prompt"), "".join(message["content"] for message in messages)
        *before, answer = messages
        if answer["role"] in _ASKING or not before:
            raise self.unusable(column, f"ends with the role '{answer['role']}'; the last message has to be the answer")
        return self._prompt_of(column, before), answer["content"]

    def _prompt_of(self, column: str, before: Messages) -> Observation:
        """Return the prompt of a conversation: the one in the column `prompt` if it ends there as well."""
        if "prompt" not in self.columns:
            return before
        prompt = self.observation("prompt")
        asked, said = _said(prompt), _said(before)
        if said[-len(asked) :] == asked:
            return prompt
        if any(said[start : start + len(asked)] == asked for start in range(len(said))):
            return before
        raise self.unusable(column, "its conversation does not hold the prompt; mend one, or remove the column prompt")


def read_numbered_rows(source: Source) -> list[Row]:
    """Read the rows of a source, and number them from 1; see `read_source`."""
    name = source_name(source)
    return [Row(name, number, columns) for number, columns in enumerate(read_source(source), start=1)]


def is_missing(cell: Any) -> bool:
    """Return whether nothing stands in a cell: None, blank text, an empty list, or a number or date that is none."""
    if cell is None or isinstance(cell, str | list):
        return not cell or (isinstance(cell, str) and not cell.strip())
    return is_none(cell)


def number_text(cell: Any) -> str | None:
    """Return a number as text, without the decimals of a whole one (72.0 is 72); None for what is no finite number.

    Other decimals are written as they stand (1.50 is 1.50).
    """
    cell = plain_value(cell)
    if isinstance(cell, int):
        return str(cell)
    if isinstance(cell, Decimal) and cell.is_finite():
        return f"{cell:.0f}" if cell == cell.to_integral_value() else f"{cell:f}"
    if isinstance(cell, float) and math.isfinite(cell):
        return f"{cell:.0f}" if cell.is_integer() and abs(cell) < EXACT_BELOW else repr(cell)
    return None


def _said(prompt: Observation) -> list[tuple[str, str]]:
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    return [(message["role"], message["content"].strip()) for message in messages]


def _message(message: Any) -> Any:
    """Return a message without fields that hold nothing, and its content as one text where it is all text."""
    if not isinstance(message, dict):
        return message
    known = {name: value for name, value in message.items() if value is not None}
    content = known.get("content")
    if content is None and ("tool_calls" in known or "function_call" in known):
        known["content"] = ""
    elif isinstance(content, list) and all(map(_is_text_part, content)):
        known["content"] = "".join(part if isinstance(part, str) else part["text"] for part in content)
    return known


def _is_text_part(part: Any) -> bool:
    if isinstance(part, dict):
        return part.get("type") in (None, "text") and isinstance(part.get("text"), str)
    return isinstance(part, str)
