"""Clauses, independent of the language they are written in: `english` and `tarin` write them.

A clause is drawn from a domain's sheet, so that who does what to what makes sense. It starts bare, and a number of
extras (a quality, a place, a time, a negation) is added to it: the more there are, the harder it is.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from backsight_pocket.world.domain import DOMAINS, HELD_OUT_DOMAINS, Domain, general_sheet, load, own_sheet
from backsight_pocket.world.lexicon import Noun, Verb
from backsight_pocket.world.sheet import Deed

PRONOUNS = {"I": (1, False), "you": (2, False), "we": (1, True), "they": (3, True)}
"""Pronouns with their person and whether they are plural. "you" is only singular, so that no form is ambiguous."""
TENSES = ("past", "present", "future")
TIMES = {
    "past": ("yesterday", "last night", "last week", "last winter", "last year"),
    "present": ("every day", "every morning", "every evening", "every week"),
    "future": ("tomorrow", "next week", "next winter", "next year"),
}
ANY_TENSE = (
    "at night",
    "at noon",
    "at dawn",
    "in the morning",
    "in the evening",
    "on Monday",
    "on Friday",
    "on Sunday",
)
STATE_SHARE = 0.2
PRONOUN_SHARE = 0.12
NAME_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase for someone or something: a noun by its singular, a name, or a pronoun."""

    noun: str
    plural: bool = False
    known: bool = True  # "the boat"; otherwise "a boat", "some boats"
    quality: str = ""


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause that says who does what, to what, where and when; or, with the verb "be", who is in which state."""

    subject: Phrase
    verb: str
    tense: str = "past"
    object: Phrase | None = None
    state: str = ""
    place: Phrase | None = None
    time: str = ""
    negated: bool = False

    @property
    def phrases(self) -> list[Phrase]:
        """Subject, object and place, as far as the clause has them."""
        return [phrase for phrase in (self.subject, self.object, self.place) if phrase is not None]

    @property
    def lemmas(self) -> list[str]:
        """Every noun, verb and quality in the clause."""
        found = [self.verb, self.state, *(word for each in self.phrases for word in (each.noun, each.quality))]
        return [lemma for lemma in found if lemma]


@dataclass(frozen=True, slots=True)
class Predicate:
    """The use of a verb: the head of its line in the sheet, its forms, and whether it takes an object."""

    manner: str
    forms: Verb
    is_transitive: bool


@cache
def nouns() -> dict[str, Noun]:
    """Return every noun and name of the world by its singular, without the qualities, which each domain gives."""
    sheets = (general_sheet(), *map(own_sheet, (*DOMAINS, *HELD_OUT_DOMAINS)))
    return {singular: noun for sheet in sheets for singular, noun in sheet.nouns.items() if noun.kind != "weather"}


@cache
def predicates() -> dict[str, Predicate]:
    """Return the verbs that a clause may have, by their base form, without "be"."""
    sheets = (general_sheet(), *map(own_sheet, (*DOMAINS, *HELD_OUT_DOMAINS)))
    return {
        forms.base: Predicate(manner, forms, ">" in restriction)
        for sheet in sheets
        for manner, forms, restriction in sheet.verbs
        if manner in ("do", "feel", "go")
    }


@cache
def qualities() -> tuple[str, ...]:
    """Return every quality of the world, sorted."""
    sheets = (general_sheet(), *map(own_sheet, (*DOMAINS, *HELD_OUT_DOMAINS)))
    return tuple(sorted({quality for sheet in sheets for each in sheet.qualities.values() for quality in each}))


@cache
def qualities_of(domain: str) -> dict[str, tuple[str, ...]]:
    """Return the qualities that suit each noun in this domain."""
    return {noun.singular: noun.qualities for noun in load(domain).described}


def times(tense: str) -> tuple[str, ...]:
    """Return the phrases of time that go with this tense."""
    return (*TIMES[tense], *ANY_TENSE)


def is_sound(clause: Clause) -> bool:
    """Return whether the clause can be said at all, however odd: its verb has what it needs and nothing else."""
    if clause.time and clause.time not in times(clause.tense):
        return False
    if any(each.noun in PRONOUNS or nouns()[each.noun].fixed for each in clause.phrases if each.quality):
        return False
    if any(not each.known and not _can_be_new(each) for each in clause.phrases):
        return False
    if clause.place is not None and (nouns()[clause.place.noun].kind != "place" or not clause.place.known):
        return False
    if clause.verb == "be":
        is_bare = not clause.subject.quality and clause.object is None and clause.place is None and not clause.time
        return bool(clause.state) and is_bare
    predicate = predicates()[clause.verb]
    if clause.state or predicate.is_transitive is not (clause.object is not None):
        return False
    return predicate.manner != "go" or clause.place is not None


def _can_be_new(phrase: Phrase) -> bool:
    return phrase.noun not in PRONOUNS and _varies(nouns()[phrase.noun])


def _varies(noun: Noun) -> bool:
    """Return whether the noun can be known or new: places, events and names are always known."""
    return not noun.fixed and noun.kind not in ("place", "event")


def draw(rng: random.Random, domain: str, num_extras: int = 0, about: str = "", pronouns: bool = True) -> Clause:
    """Draw a clause of this domain with so many extras; `about` fixes its subject, a noun that can do something."""
    world = load(domain)
    while True:
        if rng.random() < STATE_SHARE and (not about or about in qualities_of(domain)):
            clause = _state(rng, world, about)
        else:
            clause = _deed(rng, world, about, pronouns)
        extras = _possible_extras(clause, domain)
        content = [lemma for lemma in clause.lemmas if lemma != "be"]
        if len(extras) >= num_extras and len(set(content)) == len(content):
            for extra in rng.sample(extras, num_extras):
                clause = _add_extra(rng, clause, extra, domain)
            if len({*clause.lemmas}) == len(clause.lemmas):
                return clause


def _state(rng: random.Random, world: Domain, about: str) -> Clause:
    noun = rng.choice([each for each in world.described if not about or each.singular == about])
    phrase = replace(drawn_phrase(rng, noun), known=True)
    return Clause(phrase, "be", rng.choice(TENSES), state=rng.choice(noun.qualities))


def _deed(rng: random.Random, world: Domain, about: str, pronouns: bool) -> Clause:
    deed: Deed = rng.choice(world.abilities[about] if about else world.deeds)
    noun = nouns()[about] if about else _or_name(rng, rng.choice(deed.subjects), world)
    subject = drawn_phrase(rng, noun)
    if pronouns and not about and noun.kind == "person" and rng.random() < PRONOUN_SHARE:
        pronoun = rng.choice(list(PRONOUNS))
        subject = Phrase(pronoun, PRONOUNS[pronoun][1])
    object_ = drawn_phrase(rng, _or_name(rng, rng.choice(deed.objects), world)) if deed.objects else None
    place = Phrase(rng.choice(world.places).singular) if deed.manner == "go" else None
    return Clause(subject, deed.verb.base, rng.choice(TENSES), object_, place=place)


def _or_name(rng: random.Random, noun: Noun, world: Domain) -> Noun:
    return rng.choice(world.names) if noun.kind == "person" and rng.random() < NAME_SHARE else noun


def drawn_phrase(rng: random.Random, noun: Noun) -> Phrase:
    """Draw a phrase of the noun, in the singular or plural, known or new, as far as it has both."""
    plural = bool(noun.plural) and rng.random() < 0.35
    return Phrase(noun.singular, plural, not _varies(noun) or rng.random() < 0.65)


def _possible_extras(clause: Clause, domain: str) -> list[str]:
    described = qualities_of(domain)
    if clause.verb == "be":
        return ["negation"]
    manner = predicates()[clause.verb].manner
    at_place = clause.object is not None and nouns()[clause.object.noun].kind == "place"
    possible = {
        "subject quality": _takes_quality(clause.subject, described),
        "object quality": _takes_quality(clause.object, described),
        "place quality": _takes_quality(clause.place, described),
        "place": manner == "do" and not at_place,
        "time": manner != "feel",
        "negation": True,
    }
    return [extra for extra, is_possible in possible.items() if is_possible]


def _takes_quality(phrase: Phrase | None, described: dict[str, tuple[str, ...]]) -> bool:
    return phrase is not None and phrase.noun in described and not nouns()[phrase.noun].fixed


def _add_extra(rng: random.Random, clause: Clause, extra: str, domain: str) -> Clause:
    if extra == "negation":
        return replace(clause, negated=True)
    if extra == "time":
        return replace(clause, time=rng.choice(times(clause.tense)))
    if extra == "place":
        return replace(clause, place=Phrase(rng.choice(load(domain).places).singular))
    part = extra.removesuffix(" quality")
    phrase: Phrase = getattr(clause, part)
    described: Sequence[str] = qualities_of(domain)[phrase.noun]
    changed = replace(phrase, quality=rng.choice(described))
    if part == "subject":
        return replace(clause, subject=changed)
    return replace(clause, object=changed) if part == "object" else replace(clause, place=changed)
