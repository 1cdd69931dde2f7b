"""Object counting, a form of BIG-bench: how many things of a category there are among those that are listed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from benchmarks.hindsight.questions import Form, add_article, join_list, split_list, split_nouns

CATEGORIES = {
    "fruits": split_nouns("apple, banana, blackberry, grape, nectarine, orange, peach, plum, raspberry, strawberry"),
    "vegetables": split_nouns(
        "cabbage, carrot, cauliflower, garlic, head of broccoli, lettuce head, onion, potato, stalk of celery, yam"
    ),
    "animals": split_nouns(
        "bear, cat, chicken, cow, dog, donkey, duck, fish, frog, goat, mouse, pig, rabbit, snail, snake"
    ),
    "musical instruments": split_nouns("accordion, clarinet, drum, flute, piano, trombone, trumpet, violin"),
    "objects": split_nouns("bed, car, chair, couch, fridge, lamp, microwave, oven, stove, table, toaster"),
}
CATEGORY_OF = {noun: category for category, members in CATEGORIES.items() for noun in members}
IRREGULAR = {
    "blackberry": "blackberries",
    "couch": "couches",
    "fish": "fish",
    "head of broccoli": "heads of broccoli",
    "mouse": "mice",
    "peach": "peaches",
    "potato": "potatoes",
    "raspberry": "raspberries",
    "stalk of celery": "stalks of celery",
    "strawberry": "strawberries",
}
SINGULAR = {IRREGULAR.get(noun, noun + "s"): noun for noun in CATEGORY_OF}
QUANTITIES = ("two", "three", "four", "five")
MOST_OF_A_KIND = 5
MOST_KINDS = 10
COUNTS = tuple(map(str, range(2, 19)))
"""The answers that a question of this form may have."""


@dataclass(frozen=True, slots=True)
class Counting(Form):
    """A question about how many things of a category there are."""

    quantities: tuple[tuple[str, int], ...]
    """A noun and how many there are of it, in the order of the text."""
    category: str

    def __str__(self) -> str:
        things = [
            add_article(noun) if quantity == 1 else f"{QUANTITIES[quantity - 2]} {IRREGULAR.get(noun, noun + 's')}"
            for noun, quantity in self.quantities
        ]
        return f"I have {join_list(things)}. How many {self.category} do I have?"

    @property
    def total(self) -> int:
        return sum(quantity for noun, quantity in self.quantities if CATEGORY_OF[noun] == self.category)

    @property
    def answer(self) -> str:
        return str(self.total)

    @classmethod
    def draw(cls, rng: Random) -> Counting:
        """Draw a question. Now and then up to three things are of another category, except among objects, as everything
        is one."""
        while True:
            category = rng.choice(list(CATEGORIES))
            own = rng.sample(CATEGORIES[category], rng.randint(2, min(MOST_KINDS, len(CATEGORIES[category]))))
            others = [noun for noun in CATEGORY_OF if CATEGORY_OF[noun] not in (category, "objects")]
            has_others = category != "objects" and rng.random() < 0.25
            chosen = own + (rng.sample(others, rng.randint(1, 3)) if has_others else [])
            rng.shuffle(chosen)
            quantities = rng.choices(range(1, MOST_OF_A_KIND + 1), weights=(76, 11, 7, 4, 2), k=len(chosen))
            question = cls(tuple(zip(chosen, quantities, strict=True)), category)
            if question.answer in COUNTS:
                return question

    @classmethod
    def _read(cls, text: str) -> Counting | None:
        match = re.fullmatch(r"I have (.+)\. How many (.+) do I have\?", text)
        if match is None or match[2] not in CATEGORIES:
            return None
        quantities = []
        for thing in split_list(match[1]):
            quantity, noun = thing.split(" ", 1)
            if noun in CATEGORY_OF and quantity in ("a", "an"):
                quantities.append((noun, 1))
            else:
                quantities.append((SINGULAR[noun], QUANTITIES.index(quantity) + 2))
        return cls(tuple(quantities), match[2])

    def rewrite_for(self, solution: Sequence[str], rng: Random) -> Counting | None:
        """Change quantities one by one until the count is right; a kind comes in or leaves where that is not enough."""
        if len(solution) != 1 or solution[0] not in COUNTS:
            return None
        question, count = self, int(solution[0])
        while question.total != count:
            question = question._remove_one(rng) if question.total > count else question._add_one(rng)
        return question

    def _remove_one(self, rng: Random) -> Counting:
        own = [pair for pair in self.quantities if CATEGORY_OF[pair[0]] == self.category]
        several = [pair for pair in own if pair[1] > 1]
        if several:
            return self._change(rng.choice(several), -1)
        left = rng.choice(own)
        return replace(self, quantities=tuple(pair for pair in self.quantities if pair != left))

    def _add_one(self, rng: Random) -> Counting:
        own = [pair for pair in self.quantities if CATEGORY_OF[pair[0]] == self.category]
        absent = [noun for noun in CATEGORIES[self.category] if noun not in dict(self.quantities)]
        can_grow = [pair for pair in own if pair[1] < MOST_OF_A_KIND]
        may_enter = absent and len(own) < MOST_KINDS
        if can_grow and not (may_enter and rng.random() < 0.5):
            return self._change(rng.choice(can_grow), 1)
        place = rng.randint(0, len(self.quantities))
        entered = (rng.choice(absent), 1)
        return replace(self, quantities=(*self.quantities[:place], entered, *self.quantities[place:]))

    def _change(self, changed: tuple[str, int], by: int) -> Counting:
        noun, quantity = changed
        pairs = tuple((noun, quantity + by) if pair == changed else pair for pair in self.quantities)
        return replace(self, quantities=pairs)
