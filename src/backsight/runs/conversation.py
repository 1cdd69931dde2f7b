"""A conversation with a policy: turns of a person and answers of the policy, which come piece by piece."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from itertools import chain

from backsight.runs.talk import Talker, probabilities_text
from backsight.seeds import derive_seed
from backsight.types import Action, Messages, Observation

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""Character that stands for bytes that are no whole character, or not yet."""
A_TURN = 2
"""Messages of a turn: what was said, and the answer."""


class Conversation:
    """The turns so far. A policy without a chat template answers each text by itself, and remembers none."""

    def __init__(self, talker: Talker) -> None:
        self.talker = talker
        self.messages: Messages = []
        self.num_answers = 0
        """Number of answers since the beginning, from which the seed of the next one is derived."""
        self.was_cut_off = False
        """Whether the limit of the length ended the last answer."""

    def begin_anew(self) -> None:
        """Forget everything that was said."""
        self.messages, self.num_answers = [], 0

    def make_room(self, text: str) -> int:
        """Forget the oldest turns until the text leaves room for an answer; return how many were forgotten.

        Raises:
            DataError: when it would leave no room by itself, or the chat template refuses it. Then nothing is
                forgotten.
        """
        self.talker.check_prompt(text)
        num_turns = len(self.messages) // A_TURN
        while self.messages and not self.talker.fits(text, self.messages):
            self.messages = self.messages[A_TURN:]
        return num_turns - len(self.messages) // A_TURN

    def answer(self, text: str) -> Generator[str, None, None]:
        """Yield the answer to the text piece by piece, a piece for each token; a piece may be empty.

        A classifier says its label, and then how likely each label is.

        The turn is remembered with what was yielded until then, also when nobody asks for the rest.

        Raises:
            DataError: when there is no room for an answer; see `make_room`.
        """
        prompt = self.talker.check_prompt(text, self.messages)
        seed = derive_seed(self.talker.options.seed, "chat", self.num_answers)
        self.num_answers += 1
        said: list[str] = []
        try:
            for piece in chain(_pieces(self._watched(prompt, seed)), self._probabilities(prompt)):
                said.append(piece)
                yield piece
        finally:
            if self.talker.has_chat_template:
                turn = [{"role": "user", "content": text}, {"role": "assistant", "content": "".join(said)}]
                self.messages = [*self.messages, *turn]

    def _probabilities(self, prompt: Observation) -> Iterator[str]:
        if (probabilities := self.talker.label_probabilities(prompt)) is not None:
            yield probabilities_text(probabilities)

    def _watched(self, prompt: Observation, seed: int) -> Iterator[Action]:
        for action in self.talker.stream(prompt, seed):
            self.was_cut_off = action.is_truncated
            yield action


def _pieces(actions: Iterable[Action]) -> Iterator[str]:
    """Yield what each of the growing actions adds to the text. Characters wait until all their bytes are there."""
    text, length = "", 0
    for action in actions:
        text = action.text or ""
        whole = text.rstrip(UNFINISHED)
        yield whole[length:]
        length = max(length, len(whole))
    yield text[length:]
