"""Strings to write: a goal that is given in full (HER's bit flips), and constraints that all have to hold (HiR).

Before anything is learnt, attempts at a long goal or at many constraints all fail alike. Every one of them is right for
another prompt, which is known exactly.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from hindsight_tasks import GeneratedTask, Question, distinct, exact_feedback, items_of

from backsight.tasks.base import Item
from backsight.types import Feedback, Sampling

FEWEST_GOALS = 256
"""Where there are fewer, all of them are trained and tested: too few to keep some back."""


class GoalString(GeneratedTask):
    """Write the symbols that the prompt consists of.

    A completion cannot end too early, and the tokenizer has no other words, so that of the attempts that end in time
    one in ``symbols ** length`` succeeds by chance. A quarter of the goals, at most `test_items`, is kept for the test.
    """

    def __init__(
        self, length: int, symbols: int = 2, train_items: int = 10_000, test_items: int = 256, seed: int = 0
    ) -> None:
        self.name = f"goal_string_{length}" if symbols == 2 else f"goal_string_{length}_of_{symbols}"
        self.length = length
        self.symbols = tuple(map(str, range(symbols)))
        self.sampling = Sampling(min_completion_length=length + 1, max_completion_length=length + 1)
        possible = symbols**length
        goals = distinct(self._draw, min(train_items + test_items, possible), random.Random(f"{self.name} {seed}"))
        kept_out = min(test_items, possible // 4)
        test, train = (goals, goals) if possible < FEWEST_GOALS else (goals[:kept_out], goals[kept_out:])
        super().__init__({"train": items_of("train", train), "test": items_of("test", test)})

    def _draw(self, rng: random.Random) -> Question:
        goal = " ".join(rng.choices(self.symbols, k=self.length))
        return goal, goal

    def judge(self, item: Item, completion: str) -> Feedback:
        return exact_feedback(self.name, item.prompt.split(), completion.split())

    def rewritten(self, prompt: str, completion: str, rng: random.Random) -> str | None:
        written = completion.split()
        is_goal = len(written) == self.length and set(written) <= set(self.symbols)
        return " ".join(written) if is_goal else None


SYMBOLS = tuple("abcdefgh")
LONGEST = 10
"""Symbols of a string."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """One demand on a string: its kind, the symbol or number it is about, and for ``at`` the place, counted from 1."""

    kind: str
    value: str
    place: int = 0

    def __str__(self) -> str:
        return f"{self.value} at {self.place}" if self.kind == "at" else f"{self.kind} is {self.value}"

    @classmethod
    def read(cls, text: str) -> Constraint:
        """The inverse of `str`."""
        first, *others = text.split()
        return cls("at", first, int(others[-1])) if others[0] == "at" else cls(first, others[1])

    def holds(self, string: Sequence[str]) -> bool:
        if self.kind == "at":
            return len(string) >= self.place and string[self.place - 1] == self.value
        if self.kind == "any":
            return self.value in string
        return len(string) == int(self.value)


def instruction(constraints: Sequence[Constraint]) -> str:
    """The prompt: ``any is a; c at 2; b at 3:``, always in that order, so that prompts of a size are of a length."""
    in_order = sorted(constraints, key=lambda each: (each.kind, each.place))
    return "; ".join(map(str, in_order)) + ":"


def constraints_of(prompt: str) -> list[Constraint]:
    """The inverse of `instruction`."""
    return [Constraint.read(part) for part in prompt.removesuffix(":").split("; ")]


def satisfied(kind: str, string: Sequence[str], taken: Sequence[Constraint]) -> list[Constraint]:
    """The constraints of a kind that the string satisfies and that none of those taken makes superfluous.

    Whatever word is none of the symbols takes up a place, and no constraint is about it.
    """
    if kind == "at":
        places = {each.place for each in taken}
        contained = {each.value for each in taken if each.kind == "any"}
        return [
            Constraint("at", symbol, place)
            for place, symbol in enumerate(string[:LONGEST], start=1)
            if symbol in SYMBOLS and place not in places and symbol not in contained
        ]
    if any(each.kind == kind for each in taken):
        return []
    if kind == "any":
        placed = {each.value for each in taken if each.kind == "at"}
        return [Constraint("any", symbol) for symbol in SYMBOLS if symbol in string and symbol not in placed]
    return [Constraint("length", str(len(string)))] if 1 <= len(string) <= LONGEST else []


class Constraints(GeneratedTask):
    """Write a string of up to ten symbols for which all constraints hold.

    All constraints but one at most are about a place, since those are rarely met by chance.
    """

    extra_words = ("missed", *SYMBOLS, *map(str, range(1, LONGEST + 1)))
    sampling = Sampling(max_completion_length=LONGEST + 1)

    def __init__(
        self, num_constraints: int = 4, train_items: int = 10_000, test_items: int = 256, seed: int = 0
    ) -> None:
        self.name = f"constraints_{num_constraints}"
        self.num_constraints = num_constraints
        questions = distinct(self._draw, train_items + test_items, random.Random(f"{self.name} {seed}"))
        train, test = questions[test_items:], questions[:test_items]
        super().__init__({"train": items_of("train", train), "test": items_of("test", test)})

    def _draw(self, rng: random.Random) -> Question:
        """Constraints of a hidden string, so that all can be satisfied."""
        while True:
            kinds = [rng.choice(["at", "any", "length"])] + ["at"] * (self.num_constraints - 1)
            string = rng.choices(SYMBOLS, k=rng.randint(max(4, self.num_constraints), LONGEST))
            constraints = filled_up([], kinds, string, rng)
            if constraints is not None:
                return instruction(constraints), " ".join(string)

    def judge(self, item: Item, completion: str) -> Feedback:
        string, constraints = completion.split(), constraints_of(item.prompt)
        missed = [constraint for constraint in constraints if not constraint.holds(string)]
        share = 1 - len(missed) / len(constraints)
        return Feedback(
            rewards={"exact": float(not missed), "constraints": share},
            reward=float(not missed),
            success=not missed,
            achieved_share=share,
            text=f"missed {'; '.join(map(str, missed))}" if missed else None,
            sources=(self.name,),
        )

    def rewritten(self, prompt: str, completion: str, rng: random.Random) -> str | None:
        """The satisfied constraints, and others that hold of the string in the place of those it missed."""
        string, constraints = completion.split(), constraints_of(prompt)
        kept = [constraint for constraint in constraints if constraint.holds(string)]
        missed_kinds = [constraint.kind for constraint in constraints if not constraint.holds(string)]
        constraints_held = filled_up(kept, missed_kinds, string, rng)
        return instruction(constraints_held) if constraints_held is not None else None


def filled_up(
    kept: Sequence[Constraint], kinds: Sequence[str], string: Sequence[str], rng: random.Random
) -> list[Constraint] | None:
    """Those kept, and one of each of the kinds that the string satisfies.

    A kind of which there is none gives way to a place; None when no place is left either.
    """
    chosen = list(kept)
    for kind in kinds:
        candidates = satisfied(kind, string, chosen) or satisfied("at", string, chosen)
        if not candidates:
            return None
        chosen.append(rng.choice(candidates))
    return chosen
