"""A question in a form of BIG-bench: it is written, read back, solved, and changed until another answer is right."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from random import Random
from typing import Self

from backsight.errors import DataError

LETTERS = ("(A)", "(B)", "(C)", "(D)", "(E)")
COLORS = ("black", "blue", "brown", "green", "orange", "pink", "purple", "red", "white", "yellow")


class Form(ABC):
    """A question, word for word as the real ones are put. `str` writes it."""

    __slots__ = ()

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a question; the inverse of `str`.

        Raises:
            DataError: the text is not of this form.
        """
        try:
            question = cls._read(text)
        except (LookupError, ValueError):  # a word or a sentence that the form does not have
            question = None
        if question is None or str(question) != text:
            raise DataError("question", text, f"is not of the form {cls.__name__}; write it word for word")
        return question

    @classmethod
    @abstractmethod
    def _read(cls, text: str) -> Self | None:
        """Read a question, which `read` checks; None when the text is of another form."""

    @property
    @abstractmethod
    def answer(self) -> str:
        """The right answer, worked out from the question."""

    @property
    def working(self) -> tuple[str, ...]:
        """Words on the way to the answer, where it takes several steps."""
        return ()

    @property
    def solution(self) -> str:
        """The working, and the answer after it."""
        return " ".join((*self.working, self.answer))

    @abstractmethod
    def rewrite_for(self, solution: Sequence[str], rng: Random) -> Form | None:
        """Change the question so that these words are its solution; None when no question of the form has it."""


def join_list(parts: Sequence[str]) -> str:
    """Write a list with commas and a last "and"."""
    return f"{', '.join(parts[:-1])}, and {parts[-1]}"


def split_list(text: str) -> list[str]:
    """Read a list; the inverse of `join_list`."""
    return re.split(", and |, ", text)


def split_nouns(text: str) -> tuple[str, ...]:
    """Read a vocabulary that is written with commas."""
    return tuple(text.split(", "))


def add_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def write_options(lines: Iterable[str]) -> str:
    """Write the lines of a question that say what may be answered, a letter before each."""
    return "\nOptions:\n" + "\n".join(f"{letter} {line}" for letter, line in zip(LETTERS, lines, strict=False))
