"""Tarin, the second language of the world: `sentence` writes a clause in it, and `clause_of` reads it back.

It is invented, so that no model has seen it, and it needs no dictionary: a stem is spelled from the English lemma's
digest. The grammar, in short:

- The verb comes last: time, subject, place, object, verb. A quality follows its noun. There are no capital letters.
- A word is a stem and endings in a fixed order. A noun takes number and case, a quality class, number and case of the
  noun it goes with, a verb negation, tense and person. The classes are living (people, animals) and lifeless.
- The cases are the plain one of the subject, that of the object (-me, -ma), and that of places (-de, -da). Where one
  goes, "ru" follows the place.
- The vowels of an ending follow the last vowel of the stem: e and i after e and i, a and u after a, o and u.
- d becomes t after k, s and t.
- There is no article: "en" goes before what is new. A pronoun as a subject is only heard in the verb's ending.

Stems and endings are pieces of the tokenizer (`morphemes`), so a word of three morphemes is three tokens.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from backsight_pocket.world.clauses import (
    ANY_TENSE,
    PRONOUNS,
    TENSES,
    TIMES,
    Clause,
    Phrase,
    is_sound,
    nouns,
    predicates,
    qualities,
)
from backsight_pocket.world.tags import vocabulary

CONSONANTS = "bdfghjklmnprstvz"
FINAL_CONSONANTS = "klmnrst"
FRONT, BACK = "ei", "aou"
VOICELESS = "kst"
NEW, TOWARDS = "en", "ru"

# In endings, A stands for e or a and U for i or u.
PLURAL = "lU"
CASES = {"subject": "", "object": "mA", "place": "dA"}
CLASSES = {"living": "rA", "lifeless": "zA"}
NEGATION = "bA"
TENSE_ENDINGS = {"past": "dU", "present": "sA", "future": "kA"}
PERSONS = {1: "nU", 2: "fU", 3: ""}


@dataclass(frozen=True, slots=True)
class Reading:
    """The meaning of a word: its lemma, its role, and what its endings add."""

    lemma: str
    role: str  # noun, quality, verb or time
    plural: bool = False
    case: str = ""
    class_: str = ""
    tense: str = ""
    person: int = 3
    negated: bool = False


@cache
def stems() -> dict[str, str]:
    """Return the stem of every lemma; names keep their own, and no two lemmas share one.

    No stem begins an English word of the world or begins with one, so that words of the two languages are never
    mistaken for each other.
    """
    every_time = (*itertools.chain.from_iterable(TIMES.values()), *ANY_TENSE)
    words = {*(noun for noun in nouns() if noun.islower()), *predicates(), *qualities(), *every_time, "be"}
    whole = {*vocabulary(), NEW, TOWARDS}
    taken = {word[:length] for word in whole for length in range(4, len(word) + 1)}
    found = {noun: noun for noun in nouns() if not noun.islower()}
    for lemma in sorted(words):
        found[lemma] = next(
            stem for stem in _spellings(lemma) if stem not in taken and whole.isdisjoint(itertools.accumulate(stem))
        )
        taken.add(found[lemma])
    return found


def _spellings(lemma: str) -> Iterator[str]:
    """Yield stems for this lemma, the preferred first, like golu, golum or golmu; vowels are all front or all back."""
    for attempt in itertools.count():
        digest = hashlib.sha256(f"tarin {lemma} {attempt}".encode()).digest()
        vowels = FRONT if digest[0] % 2 else BACK
        first, second = CONSONANTS[digest[1] % 16], CONSONANTS[digest[2] % 16]
        syllables = [first + vowels[digest[3] % len(vowels)], second + vowels[digest[4] % len(vowels)]]
        final = FINAL_CONSONANTS[digest[5] % len(FINAL_CONSONANTS)]
        yield ("".join(syllables), "".join(syllables) + final, final.join(syllables))[digest[6] % 3]


def inflect(stem: str, endings: Sequence[str]) -> list[str]:
    """Return the stem and its endings, each as it is spelled after the others."""
    last_vowel = next(letter for letter in reversed(stem.lower()) if letter in FRONT + BACK)
    low, high = ("e", "i") if last_vowel in FRONT else ("a", "u")
    pieces = [stem]
    for ending in filter(None, endings):
        spoken = ending.replace("A", low).replace("U", high)
        if spoken[0] == "d" and pieces[-1][-1] in VOICELESS:
            spoken = "t" + spoken[1:]
        pieces.append(spoken)
    return pieces


def pieces_of(reading: Reading) -> list[str]:
    """Return the morphemes of the word with this meaning."""
    return inflect(stems()[reading.lemma], _endings(reading))


def _endings(reading: Reading) -> tuple[str, ...]:
    plural = PLURAL if reading.plural else ""
    if reading.role == "verb":
        negation = NEGATION if reading.negated else ""
        return negation, TENSE_ENDINGS[reading.tense], PERSONS[reading.person], plural
    if reading.role == "time":
        return ()
    return CLASSES.get(reading.class_, ""), plural, CASES[reading.case]


def sentence(clause: Clause) -> str:
    """Write the clause as a sentence of Tarin."""
    words: list[str] = [clause.time and stems()[clause.time]]
    if clause.subject.noun not in PRONOUNS:
        words += _noun_phrase(clause.subject, "subject")
    if clause.place is not None:
        words += _noun_phrase(clause.place, "place")
        words.append(TOWARDS if _is_motion(clause.verb) else "")
    if clause.object is not None:
        words += _noun_phrase(clause.object, "object")
    if clause.state:
        words.append(_quality(clause.state, clause.subject, "subject"))
    person, plural = PRONOUNS.get(clause.subject.noun, (3, clause.subject.plural))
    verb = Reading(clause.verb, "verb", plural, tense=clause.tense, person=person, negated=clause.negated)
    return " ".join(filter(None, (*words, "".join(pieces_of(verb))))) + "."


def phrase_in_words(phrase: Phrase) -> str:
    """Write a noun phrase alone, in the case of the subject."""
    return " ".join(_noun_phrase(phrase, "subject"))


def _noun_phrase(phrase: Phrase, case: str) -> list[str]:
    noun = "".join(pieces_of(Reading(phrase.noun, "noun", phrase.plural, case)))
    quality = [_quality(phrase.quality, phrase, case)] if phrase.quality else []
    return [*([] if phrase.known else [NEW]), noun, *quality]


def _quality(quality: str, phrase: Phrase, case: str) -> str:
    return "".join(pieces_of(Reading(quality, "quality", phrase.plural, case, class_of(phrase.noun))))


def class_of(noun: str) -> str:
    """Return the class of a noun: living or lifeless."""
    return "living" if noun in PRONOUNS or nouns()[noun].kind in ("person", "animal") else "lifeless"


def _is_motion(verb: str) -> bool:
    return verb != "be" and predicates()[verb].manner == "go"


@cache
def readings() -> dict[str, Reading]:
    """Return every word of Tarin but "en" and "ru", with its meaning."""
    return {"".join(pieces_of(reading)): reading for reading in iterate_readings()}


def iterate_readings() -> Iterator[Reading]:
    """Yield every meaning that a word can have."""
    numbers = (False, True)
    for lemma, noun in nouns().items():
        for plural, case in itertools.product(numbers if noun.plural else (False,), CASES):
            yield Reading(lemma, "noun", plural, case)
    for lemma, plural, case, class_ in itertools.product(qualities(), numbers, CASES, CLASSES):
        yield Reading(lemma, "quality", plural, case, class_)
    persons = ((3, False), *PRONOUNS.values())
    for lemma, (person, plural), tense, negated in itertools.product(("be", *predicates()), persons, TENSES, numbers):
        yield Reading(lemma, "verb", plural, tense=tense, person=person, negated=negated)
    for lemma in (*itertools.chain.from_iterable(TIMES.values()), *ANY_TENSE):
        yield Reading(lemma, "time")


def morphemes(word: str) -> list[str]:
    """Return the morphemes of a word of Tarin; any other word is one piece."""
    reading = readings().get(word)
    return [word] if reading is None else pieces_of(reading)


def clause_of(text: str) -> Clause | None:
    """Return the clause that a sentence says; None if it is no sentence of Tarin, or if its clause is not sound."""
    text = text.strip()
    words = text.removesuffix(".").split()
    read = [Reading(word, "particle") if word in (NEW, TOWARDS) else readings().get(word) for word in words]
    known = [reading for reading in read if reading is not None]
    if not known or len(known) < len(read) or known[-1].role != "verb":
        return None
    clause = _assemble(known[:-1], known[-1])
    # A sentence with words out of place, or endings that do not agree, is not written like its clause.
    return clause if is_sound(clause) and sentence(clause) == text else None


def _assemble(words: list[Reading], verb: Reading) -> Clause:
    """Assemble the clause that these words are most likely meant to say."""
    phrases: dict[str, Phrase] = {}
    state = words.pop().lemma if verb.lemma == "be" and words and words[-1].role == "quality" else ""
    time, known, case = "", True, ""
    for word in words:
        if word.role == "noun":
            case = word.case
            phrases[case] = Phrase(word.lemma, word.plural, known)
        elif word.role == "quality" and case:
            phrases[case] = replace(phrases[case], quality=word.lemma)
        elif word.role == "time":
            time = word.lemma
        known = word.lemma != NEW
    subject = phrases.get("subject", Phrase(_pronoun(verb), verb.plural))
    return Clause(
        subject, verb.lemma, verb.tense, phrases.get("object"), state, phrases.get("place"), time, verb.negated
    )


def _pronoun(verb: Reading) -> str:
    return next((each for each, meant in PRONOUNS.items() if meant == (verb.person, verb.plural)), "they")
