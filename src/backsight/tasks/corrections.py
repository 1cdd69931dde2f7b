"""The task `corrections`: single answers from a file, with corrections, preferences, ratings or comments.

Rows have the column `prompt` (text or messages) and one of

    chosen, rejected                               two items: the chosen answer has reward 1, the rejected one 0
    completion, and reward or label                one item; `label` is true or false, as for KTO
    completion, and correction or feedback         one item; they may stand beside a reward

Answers are text or messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backsight.errors import DataError
from backsight.tasks.base import Item
from backsight.tasks.recorded import RecordedTask, number_in, text_in
from backsight.tasks.rows import Row
from backsight.types import Observation


class CorrectionsTask(RecordedTask):
    """Judged answers to single prompts. Rows with the same prompt fall to the same split."""

    name = "corrections"

    def start_of(self, row: Row) -> Observation:
        return row.messages("prompt") if isinstance(row.cell("prompt"), list) else row.text("prompt")

    def items_of(self, row: Row) -> Iterator[Item]:
        if "chosen" in row.columns or "rejected" in row.columns:
            yield self._item(row, "chosen", {"reward": 1.0})
            yield self._item(row, "rejected", {"reward": 0.0})
            return
        known = {
            "reward": number_in(row, "column 'reward'", row.columns.get("reward", row.columns.get("label"))),
            "feedback": text_in(row, "column 'feedback'", row.columns.get("feedback")),
            "correction": _said(row, "correction") if row.columns.get("correction") else None,
        }
        if all(value is None for value in known.values()):
            remedy = "add chosen and rejected, or completion and one of reward, label, correction and feedback"
            raise DataError(row.place, ", ".join(row.columns), remedy)
        yield self._item(row, "completion", known)

    def _item(self, row: Row, column: str, known: dict[str, Any]) -> Item:
        place = str(row.number) if column == "completion" else f"{row.number}.{column}"
        columns = {"reward": None, "feedback": None, "correction": None, **known}
        return Item(id=place, prompt=self.start_of(row), target=_said(row, column), columns=columns)


def _said(row: Row, column: str) -> str:
    """Return the text of an answer."""
    if isinstance(row.cell(column), list):
        return "".join(message["content"] for message in row.messages(column))
    return row.text(column)
