"""An answer as the constraints see it, how varied its words are, and whether it is worth imitating."""

from __future__ import annotations

import re
from functools import cached_property

FEWEST_WORDS = 3
"""Fewest words of an answer that is imitated: with one or two nothing is said about a topic."""
LEAST_VARIED = 0.6
"""Least `distinct` and `unrepeated` of an answer that is imitated; English text of 60 words has about 0.75 and 1."""
CLOSING = "\"'.!?…)]}>*:”’"
"""Marks that an answer ends with. One that ends in a letter broke off, or was not written with care."""

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_ABBREVIATION = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St|[Ee]\.g|[Ii]\.e|[Pp]\.[Ss])\.")
SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]*]*(?=\s|$)")


class Answer:
    """A text without the space around it. Its words are as people count them: ``don't`` and ``well-known`` are one."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()

    @cached_property
    def words(self) -> list[str]:
        return _WORD.findall(self.text)

    @cached_property
    def lower_words(self) -> list[str]:
        return [word.lower() for word in self.words]

    @cached_property
    def num_sentences(self) -> int:
        """Number of stretches that have a word and end with a full stop, a question mark, or the text."""
        parts = SENTENCE_END.split(_ABBREVIATION.sub("abbreviation", self.text))
        return sum(_WORD.search(part) is not None for part in parts)

    @cached_property
    def lines(self) -> list[str]:
        return [line.strip() for line in self.text.splitlines()]

    @property
    def distinct(self) -> float:
        """Share of words that are different ones; 0 without words."""
        return len(set(self.lower_words)) / len(self.words) if self.words else 0.0

    @property
    def unrepeated(self) -> float:
        """Share of pairs of neighbouring words that are different ones; 0 with fewer than two words."""
        pairs = list(zip(self.lower_words, self.lower_words[1:], strict=False))
        return len(set(pairs)) / len(pairs) if pairs else 0.0

    @property
    def is_worth_imitating(self) -> bool:
        """Whether somebody could have meant the answer, so that there is no harm in asking for it in hindsight.

        Repetitions satisfy many constraints, and a policy that imitates them ends with nothing else. What satisfies a
        constraint and is a bad answer all the same must not be taught by a method that knows constraints alone.
        """
        return (
            len(self.words) >= FEWEST_WORDS
            and min(self.distinct, self.unrepeated) >= LEAST_VARIED
            and self.text[-1] in CLOSING
        )
