"""The grammar of whole sentences: the patterns, how often each is used, and which sentences are refused."""

import random
from collections.abc import Callable

from backsight_pocket.world.domain import Domain, load
from backsight_pocket.world.general import DEGREES, FUNCTION_WORDS, MODALS, PAST_MODALS
from backsight_pocket.world.lexicon import Noun, article
from backsight_pocket.world.phrases import (
    OBJECT_PRONOUN,
    Actor,
    Roll,
    actor,
    adjunct,
    be,
    complement,
    definite,
    doer,
    finite,
    indefinite,
    noun_phrase,
    object_phrase,
    pick,
    place_phrase,
    predicate,
    quality_before,
    time_phrase,
)
from backsight_pocket.world.sheet import Deed
from backsight_pocket.world.tags import lemmas

Pattern = Callable[[Roll, Domain, bool], str]

SHORTEST, LONGEST = 4, 18
# A sentence has words of one time only: not "one morning before he rested at night".
TIME_WORDS = frozenset((*FUNCTION_WORDS["time noun"].split(), "yesterday", "today"))


def description(roll: Roll, subject: Actor, past: bool) -> str:
    """Write a state of the subject, which must have qualities: "was very old"."""
    quality = pick(roll, subject.noun.qualities)
    text = be(subject.pronoun, past)
    chance = roll()
    if chance < 0.1:
        return f"{text} not {quality}"
    if chance < 0.35:
        return f"{text} {pick(roll, DEGREES)} {quality}"
    if chance < 0.5:
        return f"{text} {quality} and {pick(roll, subject.noun.traits or subject.noun.qualities)}"
    return f"{text} {quality}"


def known_actor(roll: Roll, noun: Noun) -> Actor:
    """Make the noun a subject that the reader knows."""
    return actor(roll, noun, definite(roll, noun))


def lively(roll: Roll, domain: Domain, noun: Noun) -> Deed:
    """Pick a deed of this noun that can be planned, which a lasting state cannot."""
    while True:
        deed = pick(roll, domain.abilities[noun.singular])
        if deed.manner != "feel":
            return deed


def again(roll: Roll, domain: Domain, subject: Actor, past: bool, adjuncts: float = 0.6) -> str:
    """Write a second predicate for a subject that has been named."""
    deeds = domain.abilities.get(subject.noun.singular)
    if not deeds or (subject.noun.qualities and roll() < 0.18):
        return description(roll, subject, past)
    return predicate(roll, domain, pick(roll, deeds), subject.pronoun, past, adjuncts)


def plain(roll: Roll, domain: Domain, past: bool) -> str:
    """Write a plain clause, like "the sailor moored a boat near the pier"."""
    deed = pick(roll, domain.deeds)
    subject = doer(roll, domain, deed, 0.0 if past else 0.4)
    return f"{subject.text} {predicate(roll, domain, deed, subject.pronoun, past)}"


def fronted(roll: Roll, domain: Domain, past: bool) -> str:
    """Write a clause with its time or place in front, like "in the morning the sailor moored a boat"."""
    deed = pick(roll, domain.deeds)
    if deed.manner == "feel":
        return plain(roll, domain, past)
    subject = doer(roll, domain, deed)
    if deed.manner == "go" or roll() < 0.6:
        front = time_phrase(roll, domain, past)
    else:
        front = place_phrase(roll, domain)
    rest = predicate(roll, domain, deed, subject.pronoun, past, 0.0)
    return f"{front}{',' if roll() < 0.2 else ''} {subject.text} {rest}"


def state(roll: Roll, domain: Domain, past: bool) -> str:
    """Write a state, like "the boat was very old"."""
    subject = known_actor(roll, pick(roll, domain.described))
    text = f"{subject.text} {description(roll, subject, past)}"
    return f"{text} {place_phrase(roll, domain)}" if subject.noun.kind == "thing" and roll() < 0.1 else text


def comparison(roll: Roll, domain: Domain, past: bool) -> str:
    """Write a comparison, like "the ferry was older than the canoe"."""
    noun = pick(roll, domain.compared)
    other = pick(roll, domain.compared)
    while other.kind != noun.kind:
        other = pick(roll, domain.compared)
    subject = known_actor(roll, noun)
    degree = pick(roll, domain.comparatives[noun.singular])
    return f"{subject.text} {be(subject.pronoun, past)} {degree} than {definite(roll, other)[0]}"


def existence(roll: Roll, domain: Domain, past: bool) -> str:
    """Write that something is there, like "there were three gulls on the pier"."""
    noun = pick(roll, domain.movables)
    text, plural = indefinite(roll, noun)
    pronoun = actor(roll, noun, (text, plural)).pronoun
    text = f"there {be(pronoun, past)} {text} {place_phrase(roll, domain)}"
    chance = roll()
    if chance < 0.2:
        return f"{text} {time_phrase(roll, domain, past)}"
    if chance < 0.35:
        return f"{text} but {pronoun} {description(roll, Actor(noun, text, pronoun), past)}"
    return text


def passive(roll: Roll, domain: Domain, past: bool) -> str:
    """Write a passive clause, like "the boat was moored by the sailor"."""
    deed = pick(roll, domain.acts)
    noun = pick(roll, deed.objects)
    subject = known_actor(roll, noun) if roll() < 0.6 else actor(roll, noun, noun_phrase(roll, noun))
    chance = roll()
    if chance < 0.12:
        verb = pick(roll, PAST_MODALS if past else MODALS) + " be "
    else:
        verb = be(subject.pronoun, past) + (" not " if chance < 0.2 else " ")
    text = f"{subject.text} {verb}{deed.verb.participle}"
    if roll() < 0.75:
        text += " by " + doer(roll, domain, deed).text
    return text + adjunct(roll, domain, deed, past) if roll() < 0.65 else text


def subject_relative(roll: Roll, domain: Domain, past: bool) -> str:
    """Write a subject with a relative clause of its own deed, like "the sailor who moored the boat was tired"."""
    deed = pick(roll, domain.deeds)
    noun = pick(roll, deed.subjects)
    subject = actor(roll, noun, definite(roll, noun, 0.15))
    relative = "who" if noun.kind == "person" else "that"
    first = finite(roll, deed, subject.pronoun, past) + complement(roll, domain, deed, subject.pronoun)
    return f"{subject.text} {relative} {first} {again(roll, domain, subject, past)}"


def object_relative(roll: Roll, domain: Domain, past: bool) -> str:
    """Write a subject with a relative clause of another's deed, like "the boat that the sailor moored was old"."""
    deed = pick(roll, domain.acts)
    noun = pick(roll, deed.objects)
    agent = doer(roll, domain, deed)
    verb = finite(roll, deed, agent.pronoun, past)
    subject = actor(roll, noun, definite(roll, noun, 0.15))
    return f"{subject.text} that {agent.text} {verb} {again(roll, domain, subject, past)}"


def side_clause(roll: Roll, domain: Domain, past: bool) -> tuple[str, Actor | None]:
    """Write a clause to go beside another; return it and the subject to which the other may refer with a pronoun."""
    chance = roll()
    if chance < 0.2:
        deed = pick(roll, domain.happenings)
        text, _ = definite(roll, pick(roll, deed.subjects))
        return f"{text} {finite(roll, deed, 'it', past)}", None
    if chance < 0.33:
        subject = known_actor(roll, pick(roll, domain.described))
        return f"{subject.text} {description(roll, subject, past)}", subject
    deed = pick(roll, domain.deeds)
    subject = doer(roll, domain, deed)
    return f"{subject.text} {predicate(roll, domain, deed, subject.pronoun, past, 0.4)}", subject


def main_clause(roll: Roll, domain: Domain, past: bool, known: Actor | None) -> str:
    """Write a clause about someone new or, with a pronoun, about the known subject."""
    if known and known.noun.kind in ("person", "animal") and roll() < 0.5:
        return f"{known.pronoun} {again(roll, domain, known, past)}"
    if known and known.noun.singular in domain.handling and roll() < 0.2:
        deed = pick(roll, domain.handling[known.noun.singular])
        subject = doer(roll, domain, deed)
        verb = finite(roll, deed, subject.pronoun, past)
        return f"{subject.text} {verb} {OBJECT_PRONOUN[known.pronoun]}"
    deed = pick(roll, domain.deeds)
    subject = doer(roll, domain, deed)
    return f"{subject.text} {predicate(roll, domain, deed, subject.pronoun, past, 0.6)}"


SUBORDINATORS = (
    ("when", "because", "while", "although", "after", "before", "until", "because", "when"),
    ("when", "because", "although", "if", "when", "because"),
)


def subordinate_last(roll: Roll, domain: Domain, past: bool) -> str:
    """Write a sentence with its subordinate clause last, like "the sailor laughed because the gull was hungry"."""
    first, known = side_clause(roll, domain, past)
    link = pick(roll, SUBORDINATORS[not past])
    if link == "because" and known and known.noun.kind in ("person", "animal") and roll() < 0.6:
        return f"{first} {link} {known.pronoun} {description(roll, known, past)}"
    return f"{first} {link} {main_clause(roll, domain, past, known)}"


def subordinate_first(roll: Roll, domain: Domain, past: bool) -> str:
    """Write a sentence with its subordinate clause first, like "when the wind blew, the sailor moored the boat"."""
    first, known = side_clause(roll, domain, past)
    return f"{pick(roll, SUBORDINATORS[not past])} {first}, {main_clause(roll, domain, past, known)}"


def coordination(roll: Roll, domain: Domain, past: bool) -> str:
    """Write two predicates of one subject, like "the sailor moored the boat and walked to the pier"."""
    deed = pick(roll, domain.deeds)
    subject = doer(roll, domain, deed)
    first = predicate(roll, domain, deed, subject.pronoun, past, 0.3)
    return f"{subject.text} {first} {'and' if roll() < 0.75 else 'but'} {again(roll, domain, subject, past)}"


def contrast(roll: Roll, domain: Domain, past: bool) -> str:
    """Write two clauses side by side, like "the sailor moored the boat but the gull was hungry"."""
    first, known = side_clause(roll, domain, past)
    return f"{first} {'and' if roll() < 0.5 else 'but'} {main_clause(roll, domain, past, known)}"


def extension(roll: Roll, domain: Domain, past: bool) -> str:
    """Write a clause about the object of another, like "the sailor saw a gull that was hungry"."""
    deed = pick(roll, domain.acts)
    subject = doer(roll, domain, deed)
    noun = pick(roll, deed.objects)
    found = actor(roll, noun, indefinite(roll, noun, 0.0))
    relative = "who" if noun.kind == "person" else "that"
    if noun.kind != "place":
        rest = f"{relative} {again(roll, domain, found, past)}"
    else:
        found = known_actor(roll, noun)
        rest = f"where {main_clause(roll, domain, past, None)}"
    return f"{subject.text} {finite(roll, deed, subject.pronoun, past)} {found.text} {rest}"


def report(roll: Roll, domain: Domain, past: bool) -> str:
    """Write a report of a clause, like "the sailor knew that the boat was old"."""
    deed = pick(roll, domain.clausal["say"])
    subject = doer(roll, domain, deed)
    clause, _ = side_clause(roll, domain, past)
    return f"{subject.text} {finite(roll, deed, subject.pronoun, past)} that {clause}"


def intention(roll: Roll, domain: Domain, past: bool) -> str:
    """Write an intention, like "the sailor wanted to moor the boat"."""
    deed = pick(roll, domain.clausal["want"])
    subject = doer(roll, domain, deed)
    goal = lively(roll, domain, subject.noun)
    text = f"{subject.text} {finite(roll, deed, subject.pronoun, past)} to {goal.verb.base}"
    text += complement(roll, domain, goal, subject.pronoun)
    return text + adjunct(roll, domain, goal, past) if roll() < 0.6 else text


def purpose(roll: Roll, domain: Domain, past: bool) -> str:
    """Write a purpose, like "the sailor hurried to the pier to moor the boat"."""
    subject = known_actor(roll, pick(roll, domain.people if roll() < 0.7 else domain.names))
    goal = lively(roll, domain, subject.noun)
    aim = goal.verb.base + complement(roll, domain, goal, subject.pronoun)
    if subject.noun.qualities and roll() < 0.4:
        state = pick(roll, subject.noun.qualities)
        return f"{subject.text} {be(subject.pronoun, past)} too {state} to {aim}"
    moves = [deed for deed in domain.abilities[subject.noun.singular] if deed.manner == "go"]
    move = pick(roll, moves)
    verb = finite(roll, move, subject.pronoun, past)
    return f"{subject.text} {verb} to the {pick(roll, domain.places).singular} to {aim}"


def gift(roll: Roll, domain: Domain, past: bool) -> str:
    """Write a gift, like "the sailor gave the rope to the captain"."""
    deed = pick(roll, domain.clausal["give"])
    giver = doer(roll, domain, deed)
    receiver = noun_phrase(roll, pick(roll, domain.people if roll() < 0.75 else domain.names))[0]
    verb = finite(roll, deed, giver.pronoun, past)
    gift_text = object_phrase(roll, domain, deed, giver.pronoun)
    if roll() < 0.6:
        text = f"{giver.text} {verb} {gift_text} to {receiver}"
    else:
        text = f"{giver.text} {verb} {receiver} {gift_text}"
    return f"{text} {time_phrase(roll, domain, past)}" if roll() < 0.5 else text


def definition(roll: Roll, domain: Domain, past: bool) -> str:
    """Write a definition, like "a sailor is a person who moors boats", always in the present, whatever `past` says."""
    deed = pick(roll, domain.own_acts)
    who, what = pick(roll, deed.subjects), pick(roll, deed.objects)
    if not who.plural:  # "medicine" cures, but a definition needs a plural
        who = deed.subjects[0]
    doers = who.plural
    objects = what.plural or (what.singular if what.kind == "thing" else "the " + what.singular)
    chance = roll()
    if chance < 0.3 and who.kind != "thing":
        defined, verb = who, f"{deed.verb.third} {objects}"
        genus = "a person who" if who.kind == "person" else "an animal that"
    elif chance < 0.5 and what.kind == "thing" and what.plural:
        defined, genus, verb = what, "a thing that", f"{doers} {deed.verb.base}"
    elif chance < 0.75:
        defined, verb = pick(roll, domain.places), f"{doers} {deed.verb.base} {objects}"
        genus = "place where"
        genus = f"{article(quality := quality_before(roll, defined) + genus)} {quality}"
    else:
        return f"{quality_before(roll, who)}{doers} {deed.verb.base} {objects} {place_phrase(roll, domain)}"
    return f"{article(defined.singular)} {defined.singular} is {genus} {verb}"


WEIGHTS: dict[Pattern, int] = {
    plain: 16,
    fronted: 9,
    state: 4,
    comparison: 4,
    existence: 6,
    passive: 9,
    subject_relative: 7,
    object_relative: 6,
    subordinate_last: 11,
    subordinate_first: 9,
    coordination: 8,
    contrast: 9,
    extension: 8,
    report: 6,
    intention: 5,
    purpose: 4,
    gift: 5,
    definition: 4,
}
PATTERNS = tuple(pattern for pattern, weight in WEIGHTS.items() for _ in range(weight))


def sentence(rng: random.Random, domain: str, past_share: float = 0.75) -> str:
    """Write a sentence about this domain, in the past tense as often as `past_share` says."""
    roll, world, lemma = rng.random, load(domain), lemmas()
    while True:
        text = pick(roll, PATTERNS)(roll, world, roll() < past_share)
        words = text.lower().replace(",", "").split()
        content = [lemma[word] for word in words if word in lemma]
        told_twice = len(set(content)) < len(content) or len(TIME_WORDS.intersection(words)) > 1
        if SHORTEST <= len(words) <= LONGEST and not told_twice:
            return text[0].upper() + text[1:] + "."
