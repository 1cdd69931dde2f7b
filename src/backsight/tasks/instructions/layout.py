"""Constraints on how an answer is laid out: lists, titles, brackets, parts, JSON."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from typing import Self

from backsight.tasks.instructions.answer import Answer
from backsight.tasks.instructions.constraints import Constraint, Trait

BULLETS = {2: "two", 3: "three", 4: "four", 5: "five"}
"""Numbers of bullet points that are asked for."""
DIVIDER = "***"
_BULLET = re.compile(r"(?:[-•]\s*|\*\s+)\w")


@dataclass(frozen=True, slots=True)
class Bullets(Constraint):
    """The exact number of lines that are bullet points."""

    count: int

    kind = "bullets"
    wordings = (
        "Use exactly {self.amount} bullet points that start with '-'.",
        "Make a list of {self.amount} points, each on a line that starts with '-'.",
        "Your answer should have exactly {self.count} bullet points.",
    )
    conflicts = frozenset({"sentences", "paragraphs", "last_words", "first_word", "two_parts"})
    is_marked = True

    @property
    def amount(self) -> str:
        return BULLETS[self.count]

    def holds(self, answer: Answer) -> bool:
        return _num_bullets(answer) == self.count

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls.make(rng, rng.choice(tuple(BULLETS)))

    @classmethod
    def read_off(cls, answer: Answer, rng: random.Random) -> Self | None:
        count = _num_bullets(answer)
        return cls.make(rng, count) if count in BULLETS else None

    @classmethod
    def is_shown_by(cls, answer: Answer) -> bool:
        return _num_bullets(answer) > 0


def _num_bullets(answer: Answer) -> int:
    return sum(_BULLET.match(line) is not None for line in answer.lines)


@dataclass(frozen=True, slots=True)
class Title(Trait):
    """An answer with a title in double angular brackets."""

    kind = "title"
    wordings = (
        "Give your answer a title in double angular brackets, such as <<my title>>.",
        "Add a title, written like <<title>>.",
        "Put a title in << >> above your answer.",
    )
    conflicts = frozenset({"first_word", "sentences"})
    is_marked = True

    def holds(self, answer: Answer) -> bool:
        return re.search(r"<<[^\n<>]*\w[^\n<>]*>>", answer.text) is not None


@dataclass(frozen=True, slots=True)
class Postscript(Trait):
    """An answer with a postscript on a line of its own, or behind a sentence."""

    kind = "postscript"
    wordings = (
        "Add a postscript that starts with 'P.S.'.",
        "At the end, add a postscript beginning with P.S.",
        "Close with a postscript (P.S.).",
    )
    conflicts = frozenset({"last_words", "sentences"})
    is_marked = True

    def holds(self, answer: Answer) -> bool:
        return re.search(r"(?:^|\s)P\. ?S\.:?\s*\S*\w", answer.text) is not None


@dataclass(frozen=True, slots=True)
class Placeholder(Trait):
    """An answer with a placeholder in square brackets."""

    kind = "placeholder"
    wordings = (
        "Include a placeholder in square brackets, such as [name].",
        "Leave at least one blank to fill in, written like [address].",
        "Your answer should contain a placeholder in [ ].",
    )
    is_marked = True

    def holds(self, answer: Answer) -> bool:
        return re.search(r"\[[^\[\]\n]*\w[^\[\]\n]*\]", answer.text) is not None


@dataclass(frozen=True, slots=True)
class Highlight(Trait):
    """An answer in which something stands between single asterisks."""

    kind = "highlight"
    wordings = (
        "Highlight at least one word with asterisks, like *this*.",
        "Put an important word between asterisks, such as *word*.",
        "Mark some words with single asterisks, as in *these words*.",
    )
    is_marked = True

    def holds(self, answer: Answer) -> bool:
        return re.search(r"(?<!\*)\*[^\s*](?:[^*\n]*[^\s*])?\*(?!\*)", answer.text) is not None


@dataclass(frozen=True, slots=True)
class TwoParts(Trait):
    """An answer in two parts with a divider between them."""

    kind = "two_parts"
    wordings = (
        "Write two parts and separate them with ***.",
        "Give two different answers with *** between them.",
        "Your answer should have two parts, divided by three asterisks: ***.",
    )
    conflicts = frozenset({"paragraphs", "sentences", "highlight"})
    is_marked = True

    def holds(self, answer: Answer) -> bool:
        parts = [part.strip() for part in answer.text.split(DIVIDER)]
        return len(parts) == 2 and all(Answer(part).words for part in parts) and parts[0] != parts[1]


@dataclass(frozen=True, slots=True)
class Json(Trait):
    """An answer that is a JSON object or list, perhaps in a fenced block."""

    kind = "json"
    wordings = (
        "Write your whole answer in JSON.",
        'Answer with a JSON object, such as {{"text": "..."}}.',
        "Your entire answer should be valid JSON.",
    )
    conflicts = frozenset(
        {"bullets", "first_word", "last_words", "no_commas", "paragraphs", "postscript"}
        | {"question_at_end", "quoted", "sentences", "title", "two_parts", "upper_case"}
    )
    is_marked = True

    def holds(self, answer: Answer) -> bool:
        fenced = re.fullmatch(r"```(?:json)?\s*(.*?)\s*```", answer.text, re.DOTALL | re.IGNORECASE)
        try:
            value = json.loads(fenced.group(1) if fenced else answer.text)
        except (ValueError, RecursionError):
            return False
        return isinstance(value, dict | list)
