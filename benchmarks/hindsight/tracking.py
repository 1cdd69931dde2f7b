"""Tracking shuffled objects, a form of BIG-bench: who has what in the end, after people swapped what they had."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from benchmarks.hindsight.questions import COLORS, LETTERS, Form, join_list, split_list, split_nouns, write_options

PEOPLE = ("Alice", "Bob", "Claire", "Dave", "Eve")
BOOKS = split_nouns(
    "Catch-22, Frankenstein, Hound of the Baskervilles, Lolita, Moby Dick, The Fellowship of the Ring, "
    "The Great Gatsby, The Odyssey, The Pearl, Ulysses"
)

Swap = tuple[int, int]
"""Two people who swap what they have, by their number."""
Holdings = tuple[int, ...]
"""Which thing each person has."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A setting in which people swap what they have."""

    setting: str
    start: str
    has: str
    meanwhile: str
    swap: str
    end: str
    things: tuple[str, ...]


EXCHANGES = (
    Exchange(
        "friends and avid readers who occasionally trade books",
        "At the start of the semester, they each buy one new book",
        "gets",
        "As the semester proceeds, they start trading around the new books",
        "swap books",
        "At the end of the semester, {} has",
        BOOKS,
    ),
    Exchange(
        "dancers at a square dance",
        "At the start of a song, they each have a partner",
        "is dancing with",
        "Throughout the song, the dancers often trade partners",
        "switch partners",
        "At the end of the dance, {} is dancing with",
        split_nouns("Helga, Izzi, Jamie, Karl, Lola, Melissa, Ophelia, Patrick, Rodrigo, Sam"),
    ),
    Exchange(
        "playing a game",
        "At the start of the game, they are each holding a ball",
        "has a",
        "As the game progresses, pairs of players trade balls",
        "swap balls",
        "At the end of the game, {} has the",
        tuple(f"{color} ball" for color in COLORS),
    ),
    Exchange(
        "holding a white elephant gift exchange",
        "At the start of the event, they are each holding a present of a different color",
        "has a",
        "As the event progresses, pairs of people swap gifts",
        "swap their gifts",
        "At the end of the event, {} has the",
        # the real questions have balls among the presents
        tuple(f"{color} {'ball' if color in ('black', 'orange', 'pink') else 'present'}" for color in COLORS),
    ),
    Exchange(
        "on the same team in a soccer match",
        "At the start of the match, they are each assigned to a position",
        "is playing",
        "As the game progresses, pairs of players occasionally swap positions",
        "trade positions",
        "At the end of the match, {} is playing",
        split_nouns(
            "benchwarmer, center midfielder, cheerleader, fullback, goalkeeper, left midfielder, left winger, "
            "right midfielder, right winger, striker"
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Tracking(Form):
    """A question about who has what after some swaps, one for each person. People and things go by their number."""

    exchange: Exchange
    things: tuple[str, ...]
    """What each person has at the start; the options are in this order."""
    swaps: tuple[Swap, ...]
    asked: int

    def __str__(self) -> str:
        people, exchange = PEOPLE[: len(self.things)], self.exchange
        has = [f"{person} {exchange.has} {thing}" for person, thing in zip(people, self.things, strict=True)]
        cues = ["First", *["Then"] * (len(self.swaps) - 2), "Finally"]
        swaps = [
            f"{cue}, {people[one]} and {people[other]} {exchange.swap}."
            for cue, (one, other) in zip(cues, self.swaps, strict=True)
        ]
        question = exchange.end.format(people[self.asked])
        return (
            f"{join_list(people)} are {exchange.setting}. {exchange.start}: {join_list(has)}.\n"
            f"{exchange.meanwhile}. {' '.join(swaps)} {question}{write_options(self.things)}"
        )

    @property
    def holdings(self) -> list[Holdings]:
        """Who has what at the start and after each swap."""
        states = [tuple(range(len(self.things)))]
        for swap in self.swaps:
            states.append(_swap(states[-1], swap))
        return states

    @property
    def working(self) -> tuple[str, ...]:
        """The letters of what each person has after each swap."""
        return tuple(LETTERS[thing] for holdings in self.holdings[1:] for thing in holdings)

    @property
    def answer(self) -> str:
        return LETTERS[self.holdings[-1][self.asked]]

    @classmethod
    def draw(cls, rng: Random, num_people: int) -> Tracking:
        exchange = rng.choice(EXCHANGES)
        swaps = [rng.sample(range(num_people), 2) for _ in range(num_people)]
        return cls(
            exchange,
            tuple(rng.sample(exchange.things, num_people)),
            tuple((one, other) for one, other in swaps),
            rng.randrange(num_people),
        )

    @classmethod
    def _read(cls, text: str) -> Tracking | None:
        for exchange in EXCHANGES:
            match = re.fullmatch(
                rf".+ are {exchange.setting}\. {exchange.start}: (?P<has>.+)\.\n{exchange.meanwhile}\. (?P<swaps>.+) "
                rf"{exchange.end.format('(?P<asked>[A-Z][a-z]+)')}\nOptions:\n.+",
                text,
                re.DOTALL,
            )
            if match is not None:
                swaps = re.findall(r"(\w+) and (\w+) ", match["swaps"])
                return cls(
                    exchange,
                    tuple(each.split(f" {exchange.has} ")[1] for each in split_list(match["has"])),
                    tuple((PEOPLE.index(one), PEOPLE.index(other)) for one, other in swaps),
                    PEOPLE.index(match["asked"]),
                )
        return None

    def rewrite_for(self, solution: Sequence[str], rng: Random) -> Tracking | None:
        """Let those swap who did so in the solution, and ask about the person who has its last thing in the end."""
        count = len(self.things)
        letters = LETTERS[:count]
        if len(solution) != count * len(self.swaps) + 1 or not set(solution) <= set(letters):
            return None
        things = [letters.index(word) for word in solution]
        states = [tuple(range(count)), *(tuple(things[at : at + count]) for at in range(0, len(things) - 1, count))]
        swaps = [
            _find_swap(before, after, asked, rng)
            for before, after, asked in zip(states, states[1:], self.swaps, strict=False)
        ]
        known = [swap for swap in swaps if swap is not None]
        if len(known) < len(swaps):
            return None
        return replace(self, swaps=tuple(known), asked=states[-1].index(things[-1]))


def _swap(holdings: Holdings, swap: Swap) -> Holdings:
    one, other = swap
    things = list(holdings)
    things[one], things[other] = things[other], things[one]
    return tuple(things)


def _find_swap(before: Holdings, after: Holdings, asked: Swap, rng: Random) -> Swap | None:
    """Find the swap that led from one state to the next, in the words of the question where it is the same.

    None: no swap led there.
    """
    if _swap(before, asked) == after:
        return asked
    changed = [person for person in range(len(before)) if before[person] != after[person]]
    if len(changed) != 2 or sorted(before) != sorted(after):
        return None
    rng.shuffle(changed)
    return changed[0], changed[1]
