"""The task `dialogue`: give the assistant's next turn in recorded dialogues; the user's reply is revealed afterwards.

A row is ``{"messages": [{"role", "content"}]}``, with the roles system, user and assistant; messages of other roles
(such as tool) are context.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Self

from backsight.tasks.base import Item
from backsight.tasks.cells import Row
from backsight.tasks.forms import INSTRUCTION, SHOTS, PromptForm
from backsight.tasks.overlap import likeness
from backsight.tasks.recorded import transcript
from backsight.tasks.rows import FileTask
from backsight.tasks.scripts import WORD
from backsight.types import Feedback, Messages, Observation, is_chat

_MESSAGE = re.compile(r"^(?! {2})", re.MULTILINE)
"""Regular expression of the beginning of a message in a transcript, whose further lines are indented."""


class DialogueTask(FileTask):
    """Turns of the assistant that answer a user. An item's id is the row's number and the turn's, as in ``7.2``.

    The prompt is all that was said before, one line a message (in a chat, the messages), and the gold answer is what
    the assistant said next. An empty turn is context only. In a chat the system's message is the run's, or the
    dialogue's own, or `instruction`. The reward is the word F1 with the gold answer; see `word_f1`.

    The feedback on a failed attempt holds the turn that was said (`Feedback.correction`), and what the user said right
    after it (`Feedback.outcome`).

    All turns of a dialogue fall to the same split, and so do dialogues with the same messages up to the first one of
    the user.
    """

    name = "dialogue"
    metrics = ("overlap", "exact")
    cue = "\nassistant:"
    unit = "turn of the assistant behind one of the user"
    instruction = "You are the assistant in this conversation. Answer briefly, as the next turn."

    def items_from(self, rows: Sequence[Row]) -> list[Item]:
        return [item for row in rows for item in _answers(row)]

    def start_of(self, item: Item) -> Observation:
        """Return the messages up to the first one of the user."""
        prompt = str(item.prompt)
        messages = pairwise(_beginnings(prompt))
        return next(prompt[:end] for begin, end in messages if prompt.startswith("user: ", begin))

    def write_in(self, form: PromptForm) -> Self:
        """Return a copy in this form. An instruction is the system's message; it names no columns.

        Raises:
            ConfigError: when there are to be examples, or there is an instruction and no chat.
        """
        form.refuse("dialogue", SHOTS, *([] if form.is_chat else [INSTRUCTION]))
        if not form.is_chat:
            return self.with_items({})
        default = form.instruction or self.instruction
        return self.with_items(
            {split: [_in_chat(item, form, default) for item in items] for split, items in self._items.items()}
        )

    def shorten(self, item: Item, fits: Callable[[Observation], bool]) -> Item | None:
        """Return the item without its oldest messages; if the last one alone is too long, without its first words.

        The dialogue's opening message stays if it is the system's. In a chat, the last message stays whole.
        """
        if is_chat(item.prompt):
            return _without_oldest(item, fits)
        prompt = str(item.prompt)
        *messages, cue = _beginnings(prompt)
        if prompt.startswith("system: "):
            messages = messages[1:]
        opening, last = prompt[: messages[0]], messages[-1]
        words = prompt.index(": ", last) + len(": ")
        later = [word.start() for word in WORD.finditer(prompt, words, cue)][1:]
        speaker = prompt[last:words]
        cuts = [*((begin, "") for begin in messages), *((begin, speaker) for begin in later)]

        def kept(cut: tuple[int, str]) -> str:
            begin, speaker = cut
            return opening + speaker + prompt[begin:]

        place = bisect_left(cuts, True, key=lambda cut: fits(kept(cut)))
        return replace(item, prompt=kept(cuts[place])) if place < len(cuts) else None

    def judge(self, item: Item, completion: str) -> Feedback:
        (said,) = item.columns["references"]
        rewards = likeness(completion, said)
        success = rewards["exact"] == 1
        next_turn = item.columns["next_turn"]
        return Feedback(
            rewards=rewards,
            reward=rewards["overlap"],
            success=success,
            correction=None if success else item.target,
            outcome=None if success or next_turn is None else f"The user then said: {next_turn}",
            sources=(self.name,),
        )


def _answers(row: Row) -> Iterator[Item]:
    messages = row.messages("messages")
    users = [place for place, message in enumerate(messages) if message["role"] == "user"]
    turns = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    for number, place in enumerate(turns, start=1):
        said = messages[place]["content"].strip()
        if said and users and users[0] < place:
            yield Item(
                id=f"{row.number}.{number}",
                prompt=transcript(messages[:place]),
                target=f" {said}",  # the prompt ends with a colon
                columns={
                    "messages": messages[:place],
                    "next_turn": _reply(messages[place + 1 :]),
                    "references": [said],
                },
            )


def _in_chat(item: Item, form: PromptForm, default: str) -> Item:
    prompt = form.with_system(item.columns["messages"], default)
    return replace(item, prompt=prompt, target=str(item.target).strip())


def _without_oldest(item: Item, fits: Callable[[Observation], bool]) -> Item | None:
    """Return the item without its oldest messages; what is left begins with the system or the user."""
    begins = item.prompt[0]["role"] == "system"
    opening, rest = item.prompt[:begins], item.prompt[begins:]
    starts = [place for place, message in enumerate(rest) if message["role"] == "user"]
    cuts = [[*opening, *rest[start:]] for start in starts]
    place = bisect_left(cuts, True, key=fits)
    return replace(item, prompt=cuts[place]) if place < len(cuts) else None


def _reply(following: Messages) -> str | None:
    """Return what the user said next; None if the next message is not the user's or is empty."""
    said = following[0]["content"].strip() if following and following[0]["role"] == "user" else ""
    return said or None


def _beginnings(prompt: str) -> list[int]:
    """Return where the messages of a transcript, and its cue, begin."""
    return [message.start() for message in _MESSAGE.finditer(prompt)]
