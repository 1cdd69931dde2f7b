"""The constraints that an instruction is made of, and the check of whether a sentence satisfies them.

A constraint is written in the prompt with as few words as possible (``use river``, ``start The``, ``short``), because
every token is costly for a small model. Combinations count the constraints of each kind in the order of `KINDS`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from backsight.errors import ConfigError
from backsight_pocket import world

KINDS = ("use", "start", "end", "mention", "avoid", "length", "exactly")
"""Kinds of constraints. ``length`` is short or long; ``exactly`` is an exact number of words."""

CATEGORIES = ("person", "place", "animal", "thing")
SHORT_WORDS = 7
"""Most words of a short sentence."""
LONG_WORDS = 12
"""Fewest words of a long sentence."""

FREQUENT_WORDS = (
    "the",
    "a",
    "was",
    "in",
    "and",
    "of",
    "to",
    "near",
    "his",
    "her",
    "very",
    "with",
    "had",
    "that",
)
"""Words so frequent that they are hard to avoid."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """One demand on a sentence: its kind, and the word, category or number it is about."""

    kind: str
    argument: str

    def __str__(self) -> str:
        if self.kind == "mention":
            return f"a {self.argument}" if self.argument != "animal" else "an animal"
        if self.kind == "length":
            return self.argument
        if self.kind == "exactly":
            return f"{self.argument} words"
        return f"{self.kind} {self.argument}"

    def holds(self, sentence: Sentence) -> bool:
        """Return whether the sentence satisfies the constraint."""
        words = sentence.words
        if not words:
            return False
        if self.kind == "use":
            return self.argument in words
        if self.kind == "start":
            return sentence.first == self.argument
        if self.kind == "end":
            return sentence.last == self.argument
        if self.kind == "mention":
            return self.argument in sentence.categories
        if self.kind == "avoid":
            return self.argument not in words
        if self.kind == "length":
            return len(words) <= SHORT_WORDS if self.argument == "short" else len(words) >= LONG_WORDS
        return len(words) == int(self.argument)


class Sentence:
    """A sentence as the constraints see it: words in lower case without punctuation, and the first and last as written.

    It is complete when it starts with a capital letter and its only full stop is at the end.
    """

    def __init__(self, text: str) -> None:
        written = text.split()
        self.words = world.words(text)
        self.is_complete = text[:1].isupper() and text.endswith(".") and text.count(".") == 1
        self.first = written[0].strip(".,") if written else ""
        self.last = written[-1].strip(".,") if written else ""

    @property
    def categories(self) -> frozenset[str]:
        return frozenset().union(*(world.categories(word) for word in self.words))

    @property
    def content_words(self) -> list[str]:
        """Words that belong to some domain, each once, in their order."""
        return [word for word in dict.fromkeys(self.words) if domain_of(word) is not None]


@cache
def _domains() -> dict[str, str]:
    every = (*world.DOMAINS, *world.HELD_OUT_DOMAINS)
    return {word: domain for domain in reversed(every) for word in world.content_words(domain)}


def domain_of(word: str) -> str | None:
    """Return the domain that a content word belongs to; None for a shared or unknown word."""
    return _domains().get(word)


def draw(kind: str, sentence: Sentence, taken: Sequence[Constraint], rng: random.Random) -> Constraint | None:
    """Draw a constraint of this kind that the sentence satisfies and that is not taken yet; None if there is none."""
    arguments = _satisfied_arguments(kind, sentence, rng)
    free = [argument for argument in arguments if Constraint(kind, argument) not in taken]
    if kind == "use":  # not a word that another constraint puts at the start or the end
        spoken_for = {constraint.argument.lower() for constraint in taken if constraint.kind in ("start", "end")}
        free = [argument for argument in free if argument not in spoken_for]
    return Constraint(kind, rng.choice(free)) if free else None


def _satisfied_arguments(kind: str, sentence: Sentence, rng: random.Random) -> list[str]:
    words = sentence.words
    if not words:
        return []
    if kind == "use":
        return sentence.content_words
    if kind == "start":
        return [sentence.first]
    if kind == "end":
        return [sentence.last]
    if kind == "mention":
        return [category for category in CATEGORIES if category in sentence.categories]
    if kind == "avoid":
        return _absent_words(sentence, rng)
    if kind == "length":
        return ["short"] if len(words) <= SHORT_WORDS else ["long"] if len(words) >= LONG_WORDS else []
    return [str(len(words))]


def _absent_words(sentence: Sentence, rng: random.Random) -> list[str]:
    """Return words that the sentence does not use: half the time frequent words, else words of its own domain."""
    domains = [domain for word in sentence.words if (domain := domain_of(word)) is not None]
    if not domains or rng.random() < 0.5:
        candidates: Sequence[str] = FREQUENT_WORDS
    else:
        candidates = world.content_words(rng.choice(domains))
    present = set(sentence.words)
    return [word for word in candidates if word not in present]


Combination = tuple[int, ...]
"""Numbers of constraints of each kind, in the order of `KINDS`."""

_MOST = {"use": 3, "start": 1, "end": 1, "mention": 2, "avoid": 2, "length": 1, "exactly": 0}


@cache
def combinations(size: int) -> tuple[Combination, ...]:
    """Return every combination of `size` constraints without exact lengths, sorted.

    Raises:
        ConfigError: when no instruction has so many constraints.
    """
    limits = [_MOST[kind] for kind in KINDS]
    found: list[Combination] = [()]
    for limit in limits:
        found = [(*start, count) for start in found for count in range(limit + 1)]
    found = [combination for combination in found if sum(combination) == size]
    if not found:
        raise ConfigError("num_constraints", size, f"no instruction has so many; choose 1 to {sum(limits)}")
    return tuple(found)


@cache
def held_out_combinations(size: int) -> frozenset[Combination]:
    """Return one combination in four, kept for evaluation; none where there are too few."""
    every = list(combinations(size))
    random.Random(f"held out {size}").shuffle(every)
    return frozenset(every[: len(every) // 4]) if size > 1 else frozenset()


def combination_of(constraints: Sequence[Constraint]) -> Combination:
    """Count the constraints of each kind."""
    counts = Counter(constraint.kind for constraint in constraints)
    return tuple(counts[kind] for kind in KINDS)
