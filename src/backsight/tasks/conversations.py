"""The task `conversations`: turns of the assistant from logs that were rewarded, commented on or corrected.

A row is ``{"messages": [{"role", "content", optional "reward", "feedback", "correction"}]}``; the optional fields stand
in the assistant's messages and say what was known about them afterwards. Turns about which nothing is known are context
only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backsight.tasks.base import Item
from backsight.tasks.cells import Row
from backsight.tasks.recorded import RecordedTask, number_in, text_in, transcript
from backsight.tasks.tables import Source
from backsight.types import Messages, Observation

_OWN_FIELDS = ("reward", "feedback", "correction")


class ConversationsTask(RecordedTask):
    """Judged turns of conversations. An item's id is the row's number and the turn's, as in ``7.2``.

    As plain text, for models without a chat template, a prompt has one line a message; in a chat it is the messages.

    Rows fall to the train or the test split by their messages up to the first one of the user, so that a conversation
    stays whole, and so do several rows that are prefixes of one conversation.

    Args:
        data, test, ood: see `RecordedTask`.
        next_turn_is_feedback: whether the user's next turn is taken for feedback on a turn that has none of its own.
    """

    name = "conversations"

    def __init__(
        self,
        data: Source,
        *,
        test: Source | None = None,
        ood: Source | None = None,
        next_turn_is_feedback: bool = False,
    ) -> None:
        self.next_turn_is_feedback = next_turn_is_feedback
        super().__init__(data, test=test, ood=ood)

    def start_of(self, row: Row) -> Observation:
        messages = _plain(row.messages("messages"))
        first = next((place for place, each in enumerate(messages) if each["role"] == "user"), len(messages))
        return messages[: first + 1]

    def items_of(self, row: Row) -> Iterator[Item]:
        messages = row.messages("messages")
        turn = 0
        for index, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            turn += 1
            columns = self._judgement(row, messages, index)
            is_judged = any(value is not None for value in columns.values())
            if is_judged and (index > 0 or not self.form.is_chat):  # a chat template needs a message to answer
                yield self._item(f"{row.number}.{turn}", _plain(messages[:index]), message["content"], columns)

    def _judgement(self, row: Row, messages: Messages, index: int) -> dict[str, Any]:
        """Return what is known about a turn; nothing for an empty turn, which cannot be learnt."""
        message, place = messages[index], f"messages[{index}]"
        if not message["content"].strip():
            return {}
        feedback = text_in(row, f"{place}.feedback", message.get("feedback"))
        following = messages[index + 1] if index + 1 < len(messages) else None
        if feedback is None and self.next_turn_is_feedback and following is not None and following["role"] == "user":
            feedback = following["content"].strip() or None
        return {
            "reward": number_in(row, f"{place}.reward", message.get("reward")),
            "feedback": feedback,
            "correction": text_in(row, f"{place}.correction", message.get("correction")),
        }

    def _item(self, place: str, before: Messages, said: str, columns: Mapping[str, Any]) -> Item:
        if self.form.is_chat:
            return Item(id=place, prompt=self.form.with_system(before), target=said.strip(), columns=columns)
        correction = columns["correction"]
        return Item(
            id=place,
            prompt=transcript(before),
            target=f" {said.strip()}",  # the prompt ends with a colon
            columns={**columns, "correction": None if correction is None else f" {correction.strip()}"},
        )


def _plain(messages: Sequence[Mapping[str, Any]]) -> Messages:
    """Return the messages without what became known afterwards."""
    return [{key: value for key, value in each.items() if key not in _OWN_FIELDS} for each in messages]
