"""The base classes of constraints: how one is said, whether it holds, and how it is read off an answer."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from backsight.tasks.instructions.answer import Answer


@dataclass(frozen=True, slots=True)
class Constraint(ABC):
    """One demand on an answer. A subclass is a kind of constraint; its fields are what the demand is about."""

    wording: int
    """Number of the wording in `wordings`."""

    kind: ClassVar[str]
    wordings: ClassVar[tuple[str, ...]]
    """Sentences that say the constraint, with its fields as ``{self.word}``."""
    conflicts: ClassVar[frozenset[str]] = frozenset()
    """Kinds that cannot be asked beside this one, or hardly. It is enough if one of the two says so."""
    is_marked: ClassVar[bool] = False
    """Whether answers that were not asked for it do not look like this: only one that was asked may show it."""

    def __str__(self) -> str:
        return self.wordings[self.wording].format(self=self)

    @property
    def demanded(self) -> str:
        """Text that the answer must contain, where the constraint names it."""
        return ""

    def allows(self, text: str) -> bool:
        """Return whether an answer may contain a text that another constraint demands."""
        return True

    @abstractmethod
    def holds(self, answer: Answer) -> bool:
        """Return whether an answer satisfies the constraint."""

    @classmethod
    @abstractmethod
    def draw(cls, rng: random.Random) -> Self:
        """Draw a constraint of this kind, to be asked."""

    @classmethod
    @abstractmethod
    def read_off(cls, answer: Answer, rng: random.Random) -> Self | None:
        """Draw a constraint of this kind, as it would be asked, that the answer satisfies; None if there is none."""

    @classmethod
    def is_shown_by(cls, answer: Answer) -> bool:
        """Return whether an answer looks as if it was asked for this kind, whether or not it satisfies a demand."""
        return cls.read_off(answer, random.Random(0)) is not None

    @classmethod
    def make(cls, rng: random.Random, *fields: Any) -> Self:
        """Make a constraint with a wording that is drawn."""
        return cls(rng.randrange(len(cls.wordings)), *fields)

    @classmethod
    def make_one(cls, rng: random.Random, fields: Sequence[Any]) -> Self | None:
        """Make a constraint about one of these, which is drawn; None if there are none."""
        return cls.make(rng, rng.choice(fields)) if fields else None

    def goes_with(self, other: Constraint) -> bool:
        """Return whether one answer can satisfy both constraints."""
        return (
            self.kind != other.kind
            and self.kind not in other.conflicts
            and other.kind not in self.conflicts
            and self.allows(other.demanded)
            and other.allows(self.demanded)
        )


@dataclass(frozen=True, slots=True)
class Trait(Constraint):
    """A constraint that is about nothing further: an answer has the trait or has not."""

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls.make(rng)

    @classmethod
    def read_off(cls, answer: Answer, rng: random.Random) -> Self | None:
        constraint = cls.make(rng)
        return constraint if constraint.holds(answer) else None
