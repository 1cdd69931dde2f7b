"""Logical deduction, a form of BIG-bench: which of three things has a place, from statements about their order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product
from random import Random

from backsight.errors import DataError
from benchmarks.hindsight.questions import (
    COLORS,
    LETTERS,
    Form,
    add_article,
    join_list,
    split_list,
    split_nouns,
    write_options,
)

PREAMBLE = (
    "The following paragraphs each describe a set of three objects arranged in a fixed order. "
    "The statements are logically consistent within each paragraph. "
)
NUM_THINGS = 3
ORDERS = tuple(permutations(range(NUM_THINGS)))


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Things that have an order, and the words for it."""

    setting: str
    comes: tuple[str, str]
    """The words for coming before another and after it."""
    stands: tuple[str, str, str]
    """The words for standing first, second and third."""
    things: tuple[str, ...]
    are_names: bool = False
    are_many: bool = False

    def introduce(self, thing: str) -> str:
        return thing if self.are_names or self.are_many else add_article(thing)

    def name(self, thing: str) -> str:
        return thing if self.are_names else f"the {thing}"


IN_A_ROW = ("is to the left of", "is to the right of")
PLACES_IN_A_ROW = ("is the leftmost", "is the second from the left", "is the rightmost")
ARRANGEMENTS = (
    Arrangement(
        "A fruit stand sells three fruits",
        ("are less expensive than", "are more expensive than"),
        ("are the cheapest", "are the second-most expensive", "are the most expensive"),
        split_nouns("apples, cantaloupes, kiwis, loquats, mangoes, oranges, peaches, pears, plums, watermelons"),
        are_many=True,
    ),
    Arrangement(
        "In an antique car show, there are three vehicles",
        ("is older than", "is newer than"),
        ("is the oldest", "is the second-newest", "is the newest"),
        # "motorcyle" is how the real questions spell it
        split_nouns("bus, convertible, hatchback, limousine, minivan, motorcyle, sedan, station wagon, tractor, truck"),
    ),
    Arrangement(
        "In a golf tournament, there were three golfers",
        ("finished above", "finished below"),
        ("finished first", "finished second", "finished last"),
        split_nouns("Ada, Amy, Ana, Dan, Eli, Eve, Joe, Mel, Mya, Rob"),
        are_names=True,
    ),
    Arrangement(
        "On a branch, there are three birds",
        IN_A_ROW,
        PLACES_IN_A_ROW,
        split_nouns("blue jay, cardinal, crow, falcon, hawk, hummingbird, owl, quail, raven, robin"),
    ),
    Arrangement(
        "On a shelf, there are three books",
        IN_A_ROW,
        PLACES_IN_A_ROW,
        tuple(f"{color} book" for color in (*COLORS, "gray") if color != "pink"),
    ),
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A thing comes before (0) or after (1) another one, or stands first (0), second or third (2)."""

    thing: int
    how: int
    other: int | None = None

    def holds(self, places: Sequence[int]) -> bool:
        """Whether the statement is true when each thing has this place."""
        if self.other is None:
            return places[self.thing] == self.how
        return (places[self.thing] > places[self.other]) == bool(self.how)


STATEMENTS = (
    *(Statement(one, how, other) for one, other in permutations(range(NUM_THINGS), 2) for how in range(2)),
    *(Statement(thing, place) for thing, place in product(range(NUM_THINGS), repeat=2)),
)


@dataclass(frozen=True, slots=True)
class Deduction(Form):
    """A question about which of three things has a place, with statements that leave one order only."""

    arrangement: Arrangement
    things: tuple[str, ...]
    statements: tuple[Statement, ...]
    asked: int

    def __str__(self) -> str:
        introduced = join_list([self.arrangement.introduce(thing) for thing in self.things])
        sentences = [capitalize(self._write(statement)) + "." for statement in self.statements]
        claims = [capitalize(self._write(Statement(thing, self.asked))) for thing in range(NUM_THINGS)]
        return f"{PREAMBLE}{self.arrangement.setting}: {introduced}. {' '.join(sentences)}{write_options(claims)}"

    def _write(self, statement: Statement) -> str:
        words, named = self.arrangement, [self.arrangement.name(thing) for thing in self.things]
        if statement.other is None:
            return f"{named[statement.thing]} {words.stands[statement.how]}"
        return f"{named[statement.thing]} {words.comes[statement.how]} {named[statement.other]}"

    @property
    def places(self) -> tuple[int, ...]:
        """The place of each thing.

        Raises:
            DataError: the statements leave no order, or several.
        """
        possible = _find_orders(self.statements)
        if len(possible) != 1:
            raise DataError("question", str(self), f"{len(possible)} orders fit its statements; state more, or less")
        return possible[0]

    @property
    def working(self) -> tuple[str, ...]:
        """The letters of the things in their order."""
        return tuple(LETTERS[self.places.index(place)] for place in range(NUM_THINGS))

    @property
    def answer(self) -> str:
        return LETTERS[self.places.index(self.asked)]

    @classmethod
    def draw(cls, rng: Random) -> Deduction:
        arrangement, places = rng.choice(ARRANGEMENTS), rng.choice(ORDERS)
        things = tuple(rng.sample(arrangement.things, NUM_THINGS))
        return cls(arrangement, things, _choose_statements(places, (), rng), rng.randrange(NUM_THINGS))

    @classmethod
    def _read(cls, text: str) -> Deduction | None:
        for words in ARRANGEMENTS:
            match = re.fullmatch(
                rf"{re.escape(PREAMBLE + words.setting)}: (.+?)\. (.+)\nOptions:\n\(A\) (.+)\n.+\n.+", text
            )
            if match is not None:
                things = tuple(re.sub("^an? ", "", each) for each in split_list(match[1]))
                stated = match[2].removesuffix(".").split(". ")
                empty = cls(words, things, (), 0)
                written = {capitalize(empty._write(statement)): statement for statement in STATEMENTS}
                asked = written[match[3]].how
                return replace(empty, statements=tuple(written[each] for each in stated), asked=asked)
        return None

    def rewrite_for(self, solution: Sequence[str], rng: Random) -> Deduction | None:
        """Change the statements so that they leave the order of the solution, and ask where its last thing stands."""
        letters = LETTERS[:NUM_THINGS]
        *order, answer = solution or [""]
        if sorted(order) != sorted(letters) or answer not in letters:
            return None
        places = tuple(order.index(letter) for letter in letters)
        return replace(self, statements=_choose_statements(places, self.statements, rng), asked=order.index(answer))


def _choose_statements(places: tuple[int, ...], wanted: Sequence[Statement], rng: Random) -> tuple[Statement, ...]:
    """Choose two true statements that leave this order only: those that are wanted, as far as they are true and do."""
    true = [statement for statement in STATEMENTS if statement.holds(places)]
    kept = [statement for statement in wanted if statement.holds(places)]
    pairs = [(one, two) for one, two in permutations(true, 2) if _find_orders((one, two)) == [places]]
    best = max(sum(statement in kept for statement in pair) for pair in pairs)
    return rng.choice([pair for pair in pairs if sum(statement in kept for statement in pair) == best])


def _find_orders(statements: Sequence[Statement]) -> list[tuple[int, ...]]:
    """Find all orders that fit, each as the places of the things."""
    return [places for places in ORDERS if all(each.holds(places) for each in statements)]


def capitalize(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
