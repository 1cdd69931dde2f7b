"""Noun phrases, verb groups and adjuncts, from which `grammar` builds its sentences.

Every function draws its chances from `roll`, which gives numbers in [0, 1) as `random.Random.random` does.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from backsight_pocket.world.domain import Domain
from backsight_pocket.world.general import (
    BESIDES,
    CALM_MANNERS,
    DIRECTIONS,
    FREQUENCIES,
    MANNERS,
    MODALS,
    PAST_TIMES,
    PLURAL_NUMBERS,
    PRESENT_TIMES,
)
from backsight_pocket.world.lexicon import Noun, article
from backsight_pocket.world.sheet import Deed

Roll = Callable[[], float]
T = TypeVar("T")

POSSESSIVE = {"he": "his ", "she": "her ", "it": "its ", "they": "their "}
OBJECT_PRONOUN = {"he": "him", "she": "her", "it": "it", "they": "them"}
# The kinds of deed that are never under way: nobody "was knowing".
NOT_PROGRESSIVE = ("feel", "say", "want")


class Actor(NamedTuple):
    """The subject of a clause: its noun, how it is written, and the pronoun that agrees with it."""

    noun: Noun
    text: str
    pronoun: str


def pick(roll: Roll, choices: Sequence[T]) -> T:
    """Pick one of the choices."""
    return choices[int(roll() * len(choices))]


def quality_before(roll: Roll, noun: Noun, chance: float = 0.3) -> str:
    """Write an adjective before the noun, with its space, or nothing; `chance` is that of an adjective."""
    if noun.qualities and roll() < chance:
        if noun.traits and roll() < 0.12:
            return pick(roll, noun.qualities) + " " + pick(roll, noun.traits) + " "
        return pick(roll, noun.qualities) + " "
    return ""


def noun_phrase(roll: Roll, noun: Noun, bare: float = 0.0) -> tuple[str, bool]:
    """Write the noun with a determiner and perhaps an adjective, and return whether it is plural.

    `bare` is the chance that it stands without a determiner where it can: "sailors", "soup".
    """
    if noun.fixed or noun.kind in ("event", "place"):
        return definite(roll, noun)
    core = quality_before(roll, noun)
    chance = roll()
    if not noun.plural:
        core += noun.singular
        if chance < bare:
            return core, False
        return ("the " if chance < 0.75 else "some ") + core, False
    if chance < bare:
        return core + noun.plural, True
    if chance < 0.62:
        return "the " + core + noun.singular, False
    if chance < 0.8:
        core += noun.singular
        return article(core) + " " + core, False
    if chance < 0.9:
        return "the " + core + noun.plural, True
    if chance < 0.96:
        return pick(roll, PLURAL_NUMBERS) + " " + core + noun.plural, True
    return pick(roll, ("every ", "each ", "another ")) + core + noun.singular, False


def definite(roll: Roll, noun: Noun, chance: float = 0.3) -> tuple[str, bool]:
    """Write the noun as something known, and return whether it is plural; `chance` is that of an adjective."""
    if noun.fixed:
        return noun.fixed, False
    core = "the " + quality_before(roll, noun, chance)
    if noun.plural and roll() < 0.2:
        return core + noun.plural, True
    return core + noun.singular, False


def indefinite(roll: Roll, noun: Noun, chance: float = 0.4) -> tuple[str, bool]:
    """Write the noun as something new to the reader, and return whether it is plural; an event is always known.

    `chance` is that of an adjective.
    """
    if noun.kind == "event":
        return definite(roll, noun)
    core = quality_before(roll, noun, chance)
    if not noun.plural:
        return "some " + core + noun.singular, False
    if roll() < 0.65:
        core += noun.singular
        return article(core) + " " + core, False
    return pick(roll, PLURAL_NUMBERS) + " " + core + noun.plural, True


def actor(roll: Roll, noun: Noun, phrase: tuple[str, bool]) -> Actor:
    """Make the noun the subject of a clause, written as this phrase."""
    text, plural = phrase
    if plural:
        return Actor(noun, text, "they")
    return Actor(noun, text, noun.pronoun or ("he" if roll() < 0.5 else "she"))


def doer(roll: Roll, domain: Domain, deed: Deed, bare: float = 0.0) -> Actor:
    """Pick someone or something that can do the deed; where a person can, it may be a person with a name."""
    noun = pick(roll, deed.subjects)
    if noun.kind == "person" and roll() < 0.22:
        noun = pick(roll, domain.names)
        if roll() < 0.12:
            return Actor(noun, f"{noun.singular} and {pick(roll, domain.names).singular}", "they")
    return actor(roll, noun, noun_phrase(roll, noun, bare))


def object_phrase(roll: Roll, domain: Domain, deed: Deed, owner: str, bare: float = 0.0) -> str:
    """Write something the deed can be done to; `owner` is the pronoun of the one that does it."""
    noun = pick(roll, deed.objects)
    chance = roll()
    if noun.kind == "person" and chance < 0.25:
        return pick(roll, domain.names).singular
    if noun.kind == "thing":
        if chance < 0.1:
            return POSSESSIVE[owner] + quality_before(roll, noun) + noun.singular
        if chance > 0.96:
            return f"the {noun.singular} of {noun_phrase(roll, pick(roll, domain.people))[0]}"
        if chance < 0.16 and noun.plural:
            other = pick(roll, deed.objects)
            if other.kind == "thing" and other.plural:
                return f"the {noun.singular} and the {other.singular}"
    return noun_phrase(roll, noun, bare)[0]


def complement(roll: Roll, domain: Domain, deed: Deed, owner: str, bare: float = 0.0) -> str:
    """Write what follows the verb of the deed, with the space before it."""
    if deed.manner == "go":
        if roll() < 0.1:
            return ""
        place = pick(roll, domain.places)
        direction = pick(roll, DIRECTIONS[place.preposition])
        return f" {direction} the {quality_before(roll, place)}{place.singular}"
    if not deed.objects:
        return ""
    text = " " + object_phrase(roll, domain, deed, owner, bare)
    if deed.instruments and roll() < 0.3:
        text += " with " + noun_phrase(roll, pick(roll, deed.instruments))[0]
    return text


def place_phrase(roll: Roll, domain: Domain) -> str:
    """Write where something happens."""
    place = pick(roll, domain.places)
    preposition = place.preposition if roll() < 0.7 else pick(roll, BESIDES)
    return f"{preposition} the {quality_before(roll, place, 0.2)}{place.singular}"


def time_phrase(roll: Roll, domain: Domain, past: bool) -> str:
    """Write when something happens."""
    chance = roll()
    if chance < 0.15:
        event = pick(roll, domain.events).singular
        return ("before the " if chance < 0.05 else "after the " if chance < 0.1 else "during the ") + event
    return pick(roll, PAST_TIMES if past else PRESENT_TIMES)


def adjunct(roll: Roll, domain: Domain, deed: Deed, past: bool) -> str:
    """Write how, where or when the deed is done, with the space before it; nothing for a lasting state."""
    if deed.manner == "feel":
        return ""
    chance = roll()
    if chance < 0.15 and deed.subjects[0].kind in ("person", "animal"):
        return " " + pick(roll, MANNERS if deed.objects or deed.manner == "go" else CALM_MANNERS)
    if chance < 0.6 and deed.manner != "go" and not (deed.objects and deed.objects[0].kind == "place"):
        text = " " + place_phrase(roll, domain)
        return f"{text} {time_phrase(roll, domain, past)}" if chance > 0.45 else text
    return " " + time_phrase(roll, domain, past)


def finite(roll: Roll, deed: Deed, pronoun: str, past: bool) -> str:
    """Write the verb group of a clause whose subject has this pronoun."""
    return _finite_past(roll, deed, pronoun) if past else _finite_present(roll, deed, pronoun)


def _finite_past(roll: Roll, deed: Deed, pronoun: str) -> str:
    verb = deed.verb
    chance = roll()
    if chance < 0.72 or deed.manner == "say":
        return verb.past
    if chance < 0.78:
        return "did not " + verb.base
    if chance < 0.82:
        return pick(roll, FREQUENCIES) + " " + verb.past
    if chance < 0.87:
        return ("could not " if chance < 0.84 else "could " if chance < 0.86 else "would ") + verb.base
    if chance < 0.91 and deed.objects:
        return "had " + verb.participle
    return verb.past if deed.manner in NOT_PROGRESSIVE else be(pronoun, True) + " " + verb.gerund


def _finite_present(roll: Roll, deed: Deed, pronoun: str) -> str:
    verb = deed.verb
    plural = pronoun == "they"
    simple = verb.base if plural else verb.third
    chance = roll()
    if chance < 0.6:
        return simple
    if chance < 0.72:
        return pick(roll, FREQUENCIES) + " " + simple
    if chance < 0.8:
        return ("do not " if plural else "does not ") + verb.base
    if chance < 0.92 or deed.manner in NOT_PROGRESSIVE:
        return pick(roll, MODALS) + " " + verb.base
    return be(pronoun, False) + " " + verb.gerund


def be(pronoun: str, past: bool) -> str:
    """Return the form of "be" that agrees with the pronoun."""
    if past:
        return "were" if pronoun == "they" else "was"
    return "are" if pronoun == "they" else "is"


def predicate(roll: Roll, domain: Domain, deed: Deed, pronoun: str, past: bool, adjuncts: float = 0.8) -> str:
    """Write the verb with all that follows it; `adjuncts` is the chance of a place, a time or a manner."""
    text = finite(roll, deed, pronoun, past) + complement(roll, domain, deed, pronoun, 0.0 if past else 0.35)
    return text + adjunct(roll, domain, deed, past) if roll() < adjuncts else text
