"""Errands: what a customer wants, what they say about it, and how they answer the assistant.

An errand is values for some of four slots: a thing, its kind, a place and a time to collect it. The customer tells a
part of it at once, and which of the other slots matter; the rest is told when it is asked for.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from backsight_pocket.world.clauses import nouns, qualities, qualities_of
from backsight_pocket.world.domain import load
from backsight_pocket.world.lexicon import article
from backsight_pocket.world.tags import words

SLOTS = ("thing", "kind", "place", "time")
TIMES = {
    "monday": "on Monday",
    "tuesday": "on Tuesday",
    "thursday": "on Thursday",
    "friday": "on Friday",
    "sunday": "on Sunday",
    "noon": "at noon",
    "dawn": "at dawn",
    "night": "at night",
}
QUESTION_WORDS = {**{slot: slot for slot in SLOTS}, "what": "thing", "where": "place", "when": "time"}
POLITE_WORDS = frozenset(("hello", "please", "thank", "thanks"))
TOLD_SHARE, REFUSAL_SHARE = 0.75, 0.4

_REFUSED = re.compile(r"\bnot\b[^;,.!?]*")


@dataclass(frozen=True, slots=True)
class Errand:
    """What a customer wants, by slot and in the order of `SLOTS`, and which slots are told at once."""

    wants: Mapping[str, str]
    told: tuple[str, ...] = ()
    refused: str = ""
    """Kind that the customer says at once not to want."""

    @property
    def missing(self) -> list[str]:
        """Slots that have to be asked for."""
        return [slot for slot in self.wants if slot not in self.told]

    @property
    def num_turns(self) -> int:
        """Fewest turns that serve the errand without luck: a question for each missing slot, and the offer."""
        return len(self.missing) + 1

    def opening(self) -> str:
        """Say the customer's first words, like "I want a rope, not a tarry one; kind and place matter."."""
        told = {slot: self.wants[slot] for slot in self.told}
        text = f"I want {in_words(told)}" if told else "I want something"
        if self.refused:
            text += f", not {article(self.refused)} {self.refused} one"
        if self.missing:
            text += f"; {' and '.join(self.missing)} {'matter' if len(self.missing) > 1 else 'matters'}"
        return text + "."

    def answer(self, slot: str) -> str:
        """Answer a question for a slot."""
        if slot not in self.wants:
            return "I do not mind."
        text = one_in_words(slot, self.wants[slot])
        return text[0].upper() + text[1:] + "."

    def reply(self, said: Utterance) -> str:
        """Reply to what the assistant said."""
        if said.asked:
            return self.answer(said.asked)
        if not said.stated:
            return "I do not understand."
        wrong = self.wrong(said)
        if wrong:
            slot, value = wrong[0]
            return f"No, not {one_in_words(slot, value)}."
        lacking = [slot for slot in self.wants if slot not in said.stated]
        return f"Yes, and the {lacking[0]}?" if lacking else "Thank you!"

    def wrong(self, said: Utterance) -> list[tuple[str, str]]:
        """Return the slots and values that were stated where something else is wanted."""
        stated = [(slot, value) for slot, values in said.stated.items() for value in values if slot in self.wants]
        return [(slot, value) for slot, value in stated if value != self.wants[slot]]

    def is_served(self, said: Utterance) -> bool:
        """Return whether this is an offer of all that is wanted, and of nothing else in its place."""
        is_complete = all(slot in said.stated for slot in self.wants)
        return not said.asked and is_complete and not self.wrong(said)


@dataclass(frozen=True, slots=True)
class Utterance:
    """A text as the simulator understands it: the slot it asks for, the values it states, and whether it is polite."""

    asked: str = ""
    stated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_polite: bool = False


def understood(text: str) -> Utterance:
    """Parse what is asked and stated in a text; a question asks for the first slot it names."""
    spoken = words(text)
    is_question = "which" in spoken or "?" in text
    asked = next((QUESTION_WORDS[word] for word in spoken if word in QUESTION_WORDS), "") if is_question else ""
    stated: dict[str, tuple[str, ...]] = {}
    for word in spoken:
        if word in _values():
            slot, value = _values()[word]
            stated[slot] = tuple(dict.fromkeys((*stated.get(slot, ()), value)))
    return Utterance(asked, stated, bool(POLITE_WORDS.intersection(spoken)))


def read_affirmed(text: str) -> dict[str, str]:
    """Return what a customer's words say is wanted, by slot: the values in them, except those after a "not"."""
    return {slot: values[-1] for slot, values in understood(_REFUSED.sub("", text)).stated.items()}


@cache
def _values() -> dict[str, tuple[str, str]]:
    """Return the slot and value that each word names."""
    found = {quality: ("kind", quality) for quality in qualities() if quality not in QUESTION_WORDS}
    found |= {word: ("time", word) for word in TIMES}
    for singular, noun in nouns().items():
        if noun.kind in ("thing", "place"):
            found |= {form: (noun.kind, singular) for form in (singular, noun.plural) if form}
    return found


def in_words(values: Mapping[str, str]) -> str:
    """Write an errand, or a part of it, as it is asked for and offered: "a salty rope on the pier at noon"."""
    thing, kind = values.get("thing", ""), values.get("kind", "")
    core = f"{kind} {thing}".strip()
    parts = [f"{article(core)} {core}" if thing else f"something {kind}".strip()]
    parts += [one_in_words(slot, values[slot]) for slot in ("place", "time") if slot in values]
    return " ".join(parts)


def one_in_words(slot: str, value: str) -> str:
    """Write a single value, like "a rope", "a salty one", "on the pier" or "at noon"."""
    if slot == "place":
        return f"{nouns()[value].preposition} the {value}"
    if slot == "time":
        return TIMES[value]
    return f"{article(value)} {value}" + (" one" if slot == "kind" else "")


def draw(rng: random.Random, domain: str, num_slots: int) -> Errand:
    """Draw an errand of this domain with so many slots, one of them the thing."""
    described = qualities_of(domain)
    things = [noun for noun in load(domain).described if noun.kind == "thing" and noun.plural]
    thing = rng.choice(things).singular
    kind, refused = rng.sample(described[thing], 2)
    values = {
        "thing": thing,
        "kind": kind,
        "place": rng.choice(load(domain).places).singular,
        "time": rng.choice(list(TIMES)),
    }
    slots = {"thing", *rng.sample(SLOTS[1:], num_slots - 1)}
    wants = {slot: values[slot] for slot in SLOTS if slot in slots}
    tellable = [slot for slot in wants if slot in ("thing", "kind")]  # no customer names only a place or a time
    # If each of four slots had to be asked for, no turn would be left for the offer.
    told = (rng.choice(tellable),) if num_slots == len(SLOTS) or rng.random() < TOLD_SHARE else ()
    is_choosy = "kind" in wants and "kind" not in told and rng.random() < REFUSAL_SHARE
    return Errand(wants, told, refused if is_choosy else "")
