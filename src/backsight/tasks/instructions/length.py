"""Constraints on how long an answer is: in words, sentences and paragraphs."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Self

from backsight.tasks.instructions.answer import Answer
from backsight.tasks.instructions.constraints import Constraint, Trait

MOST_WORDS = (15, 20, 25, 30, 35, 40)
FEWEST_WORDS = (10, 15, 20, 25, 30)
WINDOW = 10
"""Number of words between the two ends of a window."""
WINDOW_STARTS = (5, 10, 15, 20, 25, 30, 35)
MOST_SENTENCES = 3
_AMOUNTS = {1: "one sentence", 2: "two sentences", 3: "three sentences"}


@dataclass(frozen=True, slots=True)
class AtMostWords(Constraint):
    """The largest number of words."""

    most: int

    kind = "at_most_words"
    wordings = (
        "Use at most {self.most} words.",
        "Write no more than {self.most} words.",
        "Keep your answer within {self.most} words.",
    )
    conflicts = frozenset({"at_least_words", "words_between", "sentences", "paragraphs"})

    def holds(self, answer: Answer) -> bool:
        return len(answer.words) <= self.most

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls.make(rng, rng.choice(MOST_WORDS))

    @classmethod
    def read_off(cls, answer: Answer, rng: random.Random) -> Self | None:
        enough = [most for most in MOST_WORDS if most >= len(answer.words)]
        return cls.make_one(rng, enough[:2])


@dataclass(frozen=True, slots=True)
class AtLeastWords(Constraint):
    """The smallest number of words."""

    fewest: int

    kind = "at_least_words"
    wordings = (
        "Use at least {self.fewest} words.",
        "Write {self.fewest} words or more.",
        "Your answer should have no fewer than {self.fewest} words.",
    )
    conflicts = frozenset({"words_between", "sentences"})

    def holds(self, answer: Answer) -> bool:
        return len(answer.words) >= self.fewest

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls.make(rng, rng.choice(FEWEST_WORDS))

    @classmethod
    def read_off(cls, answer: Answer, rng: random.Random) -> Self | None:
        reached = [fewest for fewest in FEWEST_WORDS if fewest <= len(answer.words)]
        return cls.make_one(rng, reached[-2:])


@dataclass(frozen=True, slots=True)
class WordsBetween(Constraint):
    """A window of the number of words, both ends included."""

    fewest: int

    kind = "words_between"
    wordings = (
        "Write between {self.fewest} and {self.most} words.",
        "Your answer should have {self.fewest} to {self.most} words.",
        "Use no fewer than {self.fewest} and no more than {self.most} words.",
    )
    conflicts = frozenset({"sentences", "paragraphs"})

    @property
    def most(self) -> int:
        return self.fewest + WINDOW

    def holds(self, answer: Answer) -> bool:
        return self.fewest <= len(answer.words) <= self.most

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls.make(rng, rng.choice(WINDOW_STARTS))

    @classmethod
    def read_off(cls, answer: Answer, rng: random.Random) -> Self | None:
        around = [fewest for fewest in WINDOW_STARTS if fewest <= len(answer.words) <= fewest + WINDOW]
        return cls.make_one(rng, around)


@dataclass(frozen=True, slots=True)
class Sentences(Constraint):
    """The exact number of sentences."""

    count: int

    kind = "sentences"
    wordings = (
        "Write exactly {self.amount}.",
        "Your answer should have exactly {self.amount}.",
        "Answer in {self.amount}.",
    )
    conflicts = frozenset({"paragraphs"})

    @property
    def amount(self) -> str:
        return _AMOUNTS[self.count]

    def holds(self, answer: Answer) -> bool:
        return answer.num_sentences == self.count

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls.make(rng, rng.randint(1, MOST_SENTENCES))

    @classmethod
    def read_off(cls, answer: Answer, rng: random.Random) -> Self | None:
        return cls.make(rng, answer.num_sentences) if 1 <= answer.num_sentences <= MOST_SENTENCES else None


@dataclass(frozen=True, slots=True)
class Paragraphs(Trait):
    """Two paragraphs with an empty line between them."""

    kind = "paragraphs"
    wordings = (
        "Write two paragraphs with an empty line between them.",
        "Divide your answer into exactly two paragraphs.",
        "Your answer should have 2 paragraphs, separated by a blank line.",
    )

    def holds(self, answer: Answer) -> bool:
        return len(re.split(r"\n\s*\n", answer.text)) == 2
