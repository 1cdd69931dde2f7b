"""The task `corrections`: single answers from a file, with corrections, preferences, ratings or comments.

Rows have the column `prompt` (text or messages), unless the answers are whole conversations, and one of

    chosen, rejected                               two items: the chosen answer has reward 1, the rejected one 0
    completion, and reward or label                one item; `label` is true or false, as for KTO
    completion, and correction or feedback         one item; they may stand beside a reward

Answers are text or messages; of a conversation, the last message is the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backsight.errors import DataError
from backsight.tasks.base import Item
from backsight.tasks.cells import Row
from backsight.tasks.recorded import RecordedTask, number_in, text_in
from backsight.types import Observation


class CorrectionsTask(RecordedTask):
    """Judged answers to single prompts. Rows with the same prompt fall to the same split."""

    name = "corrections"

    def start_of(self, row: Row) -> Observation:
        if "prompt" in row.columns:
            return row.observation("prompt")
        asked, _ = row.exchange("chosen" if "chosen" in row.columns else "completion")
        return asked

    def items_of(self, row: Row) -> Iterator[Item]:
        if row.has("chosen") or row.has("rejected"):
            yield self._item(row, "chosen", {"reward": 1.0})
            yield self._item(row, "rejected", {"reward": 0.0})
            return
        reward = "reward" if row.has("reward") else "label"
        known = {
            "reward": number_in(row, f"column '{reward}'", row.columns.get(reward)),
            "feedback": text_in(row, "column 'feedback'", row.columns.get("feedback")),
            "correction": row.exchange("correction")[1] if row.has("correction") else None,
        }
        if all(value is None for value in known.values()):
            remedy = "add chosen and rejected, or completion and one of reward, label, correction and feedback"
            raise DataError(row.place, ", ".join(row.columns), remedy)
        yield self._item(row, "completion", known)

    def _item(self, row: Row, column: str, known: dict[str, Any]) -> Item:
        place = str(row.number) if column == "completion" else f"{row.number}.{column}"
        columns = {"reward": None, "feedback": None, "correction": None, **known}
        prompt, said = row.exchange(column)
        if not said.strip():
            raise row.unusable(column, "the answer has no text; write what was said, or remove the row")
        return Item(id=place, prompt=self.form.wrap(prompt), target=said, columns=columns)
