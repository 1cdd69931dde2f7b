"""Constraints on letters and punctuation."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Self

from backsight.tasks.instructions.answer import Answer
from backsight.tasks.instructions.constraints import Constraint, Trait

LETTERS = "bckpvwxjqz"
"""Letters that an answer can do without."""
ENDS = "\"”’'*) "
"""Marks that may stand behind the last one."""


@dataclass(frozen=True, slots=True)
class NoCommas(Trait):
    """An answer without commas."""

    kind = "no_commas"
    wordings = (
        "Do not use any commas.",
        "Answer without commas.",
        "There must be no comma in your answer.",
    )

    def holds(self, answer: Answer) -> bool:
        return "," not in answer.text


@dataclass(frozen=True, slots=True)
class QuestionAtEnd(Trait):
    """An answer that ends with a question mark."""

    kind = "question_at_end"
    wordings = (
        "End with a question.",
        "The last sentence should be a question.",
        "Finish your answer with a question mark.",
    )
    conflicts = frozenset({"last_words", "postscript"})

    def holds(self, answer: Answer) -> bool:
        return answer.text.rstrip(ENDS).endswith("?")


@dataclass(frozen=True, slots=True)
class NoDigits(Trait):
    """An answer without digits."""

    kind = "no_digits"
    wordings = (
        "Do not use any digits.",
        "Write without digits from 0 to 9.",
        "There must be no digit in your answer.",
    )

    def holds(self, answer: Answer) -> bool:
        return re.search(r"\d", answer.text) is None


@dataclass(frozen=True, slots=True)
class Colon(Trait):
    """An answer with a colon."""

    kind = "colon"
    wordings = (
        "Use a colon.",
        "Your answer should have a colon (:) somewhere.",
        "Include at least one colon.",
    )

    def holds(self, answer: Answer) -> bool:
        return ":" in answer.text


@dataclass(frozen=True, slots=True)
class Number(Trait):
    """An answer with a number in digits."""

    kind = "number"
    wordings = (
        "Include a number in digits.",
        "Use at least one number, written in digits.",
        "There should be a number such as 7 or 25 in your answer.",
    )

    def holds(self, answer: Answer) -> bool:
        return re.search(r"\d", answer.text) is not None


@dataclass(frozen=True, slots=True)
class Quoted(Trait):
    """An answer that stands in double quotation marks as a whole."""

    kind = "quoted"
    wordings = (
        "Put your whole answer in double quotation marks.",
        "Wrap your entire answer in double quotes.",
        "Your answer must start and end with a double quotation mark.",
    )
    is_marked = True

    def holds(self, answer: Answer) -> bool:
        return len(answer.text) > 1 and answer.text[0] == answer.text[-1] == '"'


@dataclass(frozen=True, slots=True)
class WithoutLetter(Constraint):
    """A letter that must not be used, large or small."""

    letter: str

    kind = "without_letter"
    wordings = (
        "Do not use the letter '{self.letter}'.",
        "Avoid the letter '{self.letter}' in all words.",
        "Answer without the letter '{self.letter}'.",
    )

    def allows(self, text: str) -> bool:
        return self.letter not in text.lower()

    def holds(self, answer: Answer) -> bool:
        return self.letter not in answer.text.lower()

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls.make(rng, rng.choice(LETTERS))

    @classmethod
    def read_off(cls, answer: Answer, rng: random.Random) -> Self | None:
        absent = [letter for letter in LETTERS if letter not in answer.text.lower()]
        return cls.make_one(rng, absent)


@dataclass(frozen=True, slots=True)
class LowerCase(Trait):
    """An answer without capital letters."""

    kind = "lower_case"
    wordings = (
        "Write everything in lowercase letters.",
        "Do not use any capital letters.",
        "Your whole answer should be in lower case.",
    )
    conflicts = frozenset({"upper_case", "postscript"})
    is_marked = True

    def holds(self, answer: Answer) -> bool:
        return answer.text.islower()


@dataclass(frozen=True, slots=True)
class UpperCase(Trait):
    """An answer without small letters."""

    kind = "upper_case"
    wordings = (
        "Write everything in capital letters.",
        "Use only capital letters.",
        "Your whole answer should be in upper case.",
    )
    is_marked = True

    def holds(self, answer: Answer) -> bool:
        return answer.text.isupper()
