"""Constraints on the words of an answer: which are used, which are not, which come first and last."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Self

from backsight.tasks.instructions.answer import Answer
from backsight.tasks.instructions.constraints import Constraint

_KEYWORDS = (
    "time people small always little morning good new best simple often enjoy light feel quiet share learn warm "
    "happy careful day friend find world place help moment keep long start better make hand year together "
    "family important remember favourite easy outside nature patience evening colour story surprise water "
    "bright memory gentle comfort reason special wonderful"
)
KEYWORDS = tuple(_KEYWORDS.split())
"""Words that go with any topic, asked to be used."""

COMMON_WORDS = ("and", "of", "to", "a", "is", "in", "that", "for", "with", "you", "your", "it", "can", "are", "i")
"""Words so common that they are hard to avoid, and easy to use twice."""

_FUNCTION_WORDS = (
    "about above after again against also among another because been before being below between both cannot "
    "could does doing don't down during each either even every from further have having here hers herself "
    "himself into it's itself just least less many more most much must myself neither only other ours ourselves "
    "over quite rather really same shall should since some such than that their theirs them themselves then "
    "there these they this those though through thus under until upon very were what when where whether which "
    "while whom whose will with within without would your yours yourself i'm i've you're let's that's there's"
)
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""Words of four letters and more that nobody would ask for."""

FIRST_WORDS = ("Sometimes", "When", "If", "My", "There", "Every", "In", "The", "It", "A", "Many", "You", "Once", "As")
"""Words that an answer is asked to start with."""

LAST_WORDS = (
    "every single day",
    "a good day",
    "for all of us",
    "in the end",
    "with a smile",
    "good luck",
    "one step at a time",
    "the whole family",
    "and that is all",
    "what more could you want",
)
"""Phrases that an answer is asked to end with."""


def content_words(answer: Answer) -> list[str]:
    """Return the words of four letters and more that say something, each once, in their order."""
    return [
        word
        for word in dict.fromkeys(answer.lower_words)
        if len(word) >= 4 and word.isalpha() and word.isascii() and word not in FUNCTION_WORDS
    ]


@dataclass(frozen=True, slots=True)
class Keyword(Constraint):
    """A word that has to be used."""

    word: str

    kind = "keyword"
    wordings = (
        "Use the word '{self.word}'.",
        "Include the word '{self.word}' in your answer.",
        "The word '{self.word}' has to appear in your answer.",
        "Mention the word '{self.word}'.",
    )
    conflicts = frozenset({"keyword_twice"})

    @property
    def demanded(self) -> str:
        return self.word

    def holds(self, answer: Answer) -> bool:
        return self.word in answer.lower_words

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls.make(rng, rng.choice(KEYWORDS))

    @classmethod
    def read_off(cls, answer: Answer, rng: random.Random) -> Self | None:
        words = content_words(answer)
        return cls.make_one(rng, words)


@dataclass(frozen=True, slots=True)
class KeywordTwice(Constraint):
    """A common word that has to be used at least twice."""

    word: str

    kind = "keyword_twice"
    wordings = (
        "Use the word '{self.word}' at least twice.",
        "The word '{self.word}' should appear two times or more.",
        "Mention the word '{self.word}' no less than 2 times.",
    )

    @property
    def demanded(self) -> str:
        return self.word

    def holds(self, answer: Answer) -> bool:
        return answer.lower_words.count(self.word) >= 2

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls.make(rng, rng.choice(COMMON_WORDS))

    @classmethod
    def read_off(cls, answer: Answer, rng: random.Random) -> Self | None:
        words = [word for word in COMMON_WORDS if answer.lower_words.count(word) >= 2]
        return cls.make_one(rng, words)


@dataclass(frozen=True, slots=True)
class ForbiddenWord(Constraint):
    """A common word that must not be used."""

    word: str

    kind = "forbidden_word"
    wordings = (
        "Do not use the word '{self.word}'.",
        "Avoid the word '{self.word}'.",
        "The word '{self.word}' must not appear in your answer.",
        "Answer without the word '{self.word}'.",
    )

    def allows(self, text: str) -> bool:
        return self.word not in Answer(text).lower_words

    def holds(self, answer: Answer) -> bool:
        return self.word not in answer.lower_words

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls.make(rng, rng.choice(COMMON_WORDS))

    @classmethod
    def read_off(cls, answer: Answer, rng: random.Random) -> Self | None:
        words = [word for word in COMMON_WORDS if word not in answer.lower_words]
        return cls.make_one(rng, words)


@dataclass(frozen=True, slots=True)
class FirstWord(Constraint):
    """The word that comes first, in any case."""

    word: str

    kind = "first_word"
    wordings = (
        "Start your answer with the word '{self.word}'.",
        "Begin with the word '{self.word}'.",
        "The first word of your answer must be '{self.word}'.",
    )

    @property
    def demanded(self) -> str:
        return self.word

    def holds(self, answer: Answer) -> bool:
        return answer.lower_words[:1] == [self.word.lower()]

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls.make(rng, rng.choice(FIRST_WORDS))

    @classmethod
    def read_off(cls, answer: Answer, rng: random.Random) -> Self | None:
        first = answer.words[0] if answer.words else ""
        return cls.make(rng, first.capitalize()) if first.isalpha() and first.isascii() else None


@dataclass(frozen=True, slots=True)
class LastWords(Constraint):
    """The phrase that comes last, in any case and before any mark."""

    phrase: str

    kind = "last_words"
    wordings = (
        "End your answer with the words '{self.phrase}'.",
        "The last words of your answer must be '{self.phrase}'.",
        "Finish with the phrase '{self.phrase}'.",
    )

    @property
    def demanded(self) -> str:
        return self.phrase

    def holds(self, answer: Answer) -> bool:
        wanted = Answer(self.phrase).lower_words
        return answer.lower_words[-len(wanted) :] == wanted

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls.make(rng, rng.choice(LAST_WORDS))

    @classmethod
    def read_off(cls, answer: Answer, rng: random.Random) -> Self | None:
        last = answer.lower_words[-rng.randint(2, 4) :]
        return cls.make(rng, " ".join(last)) if len(last) > 1 and all(map(str.isascii, last)) else None
