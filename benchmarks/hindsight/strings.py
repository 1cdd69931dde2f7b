"""Strings to write: a goal that is given in full (HER's bit flips), and constraints that all have to hold (HiR).

Before anything is learnt, attempts at a long goal or at many constraints all fail alike. Every one of them is right for
another prompt, which is known exactly.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from backsight.tasks.base import Item
from backsight.types import Feedback, Sampling
from benchmarks.hindsight.tasks import GeneratedTask, Question, compare_symbols, draw_distinct, make_items

FEWEST_GOALS = 256
"""Where there are fewer goals than this, all of them are trained and tested: too few to keep some back."""


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
        goals = draw_distinct(self._draw, min(train_items + test_items, possible), random.Random(f"{self.name} {seed}"))
        kept_out = min(test_items, possible // 4)
        test, train = (goals, goals) if possible < FEWEST_GOALS else (goals[:kept_out], goals[kept_out:])
        super().__init__({"train": make_items("train", train), "test": make_items("test", test)})

    def _draw(self, rng: random.Random) -> Question:
        goal = " ".join(rng.choices(self.symbols, k=self.length))
        return goal, goal

    def judge(self, item: Item, completion: str) -> Feedback:
        return compare_symbols(self.name, item.prompt.split(), completion.split())

    def rewrite(self, prompt: str, completion: str, rng: random.Random) -> str | None:
        written = completion.split()
        is_goal = len(written) == self.length and set(written) <= set(self.symbols)
        return " ".join(written) if is_goal else None


SYMBOLS = tuple("abcdefgh")
LONGEST = 10
"""The most symbols that a string has."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """One demand on a string."""

    kind: str
    """``at``, ``any`` or ``length``."""
    value: str
    """The symbol or number that it is about."""
    place: int = 0
    """The place of the symbol, counted from 1, where the kind is ``at``."""

    def __str__(self) -> str:
        return f"{self.value} at {self.place}" if self.kind == "at" else f"{self.kind} is {self.value}"

    @classmethod
    def read(cls, text: str) -> Constraint:
        """Read a constraint; the inverse of `str`."""
        first, *others = text.split()
        return cls("at", first, int(others[-1])) if others[0] == "at" else cls(first, others[1])

    def holds(self, string: Sequence[str]) -> bool:
        if self.kind == "at":
            return len(string) >= self.place and string[self.place - 1] == self.value
        if self.kind == "any":
            return self.value in string
        return len(string) == int(self.value)


def write_prompt(constraints: Sequence[Constraint]) -> str:
    """Write the prompt ``any is a; c at 2; b at 3:``, always in that order: prompts of a size are of a length."""
    in_order = sorted(constraints, key=lambda each: (each.kind, each.place))
    return "; ".join(map(str, in_order)) + ":"


def read_prompt(prompt: str) -> list[Constraint]:
    """Read the constraints of a prompt; the inverse of `write_prompt`."""
    return [Constraint.read(part) for part in prompt.removesuffix(":").split("; ")]


def find_satisfied(kind: str, string: Sequence[str], taken: Sequence[Constraint]) -> list[Constraint]:
    """Find the constraints of a kind that the string satisfies and that none of those taken makes superfluous.

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
        questions = draw_distinct(self._draw, train_items + test_items, random.Random(f"{self.name} {seed}"))
        train, test = questions[test_items:], questions[:test_items]
        super().__init__({"train": make_items("train", train), "test": make_items("test", test)})

    def _draw(self, rng: random.Random) -> Question:
        """Draw constraints of a hidden string, so that all can be satisfied."""
        while True:
            kinds = [rng.choice(["at", "any", "length"])] + ["at"] * (self.num_constraints - 1)
            string = rng.choices(SYMBOLS, k=rng.randint(max(4, self.num_constraints), LONGEST))
            constraints = fill_up([], kinds, string, rng)
            if constraints is not None:
                return write_prompt(constraints), " ".join(string)

    def judge(self, item: Item, completion: str) -> Feedback:
        string, constraints = completion.split(), read_prompt(item.prompt)
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

    def rewrite(self, prompt: str, completion: str, rng: random.Random) -> str | None:
        """Keep the satisfied constraints, and put others that hold of the string in the place of those it missed."""
        string, constraints = completion.split(), read_prompt(prompt)
        kept = [constraint for constraint in constraints if constraint.holds(string)]
        missed_kinds = [constraint.kind for constraint in constraints if not constraint.holds(string)]
        constraints_held = fill_up(kept, missed_kinds, string, rng)
        return write_prompt(constraints_held) if constraints_held is not None else None


def fill_up(
    kept: Sequence[Constraint], kinds: Sequence[str], string: Sequence[str], rng: random.Random
) -> list[Constraint] | None:
    """Add to the constraints that are kept one of each of the kinds that the string satisfies.

    A kind of which there is none gives way to a place; None when no place is left either.
    """
    chosen = list(kept)
    for kind in kinds:
        candidates = find_satisfied(kind, string, chosen) or find_satisfied("at", string, chosen)
        if not candidates:
            return None
        chosen.append(rng.choice(candidates))
    return chosen
