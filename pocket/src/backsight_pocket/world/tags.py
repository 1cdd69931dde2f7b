"""Facts about each surface word: its lexical class, its lemma, its categories and its domain."""

import re
from collections.abc import Iterator
from functools import cache

from backsight_pocket.world.domain import DOMAINS, HELD_OUT_DOMAINS, general_sheet, own_sheet
from backsight_pocket.world.general import FUNCTION_WORDS, HYPERNYMS
from backsight_pocket.world.sheet import Deed, Sheet

# Function words that count as content where a repetition is concerned: "in the morning every morning".
CONTENT_CLASSES = ("adverb", "frequency", "time noun")
VERB_CLASSES = {
    "do": "transitive",
    "feel": "transitive",
    "give": "transitive",
    "go": "intransitive",
    "say": "clausal",
    "want": "infinitive",
}
# The nouns that are neither persons nor places behave alike, so one class has them all.
NOUN_CLASSES = {"person": "person", "place": "place"}
# The categories of events and weather.
CATEGORIES = {"event": "thing", "weather": "thing"}

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation."""
    return _WORD.findall(text.lower())


def _sheets() -> tuple[Sheet, ...]:
    """Return the sheets of all words."""
    return (general_sheet(), *map(own_sheet, DOMAINS + HELD_OUT_DOMAINS))


def _verb_forms(deed: Deed) -> Iterator[tuple[str, str]]:
    """Yield the forms of a verb that the grammar writes, with their classes."""
    verb = deed.verb
    name = VERB_CLASSES[deed.manner]
    if deed.manner == "do" and not deed.objects:
        name = "intransitive"
    yield verb.base, name + " base"
    yield verb.third, name + " third"
    yield verb.past, name + " past"
    if deed.manner in ("do", "go", "give"):
        yield verb.gerund, "gerund"
    if name == "transitive" and verb.participle != verb.past:
        yield verb.participle, name + " participle"


def _sheet_entries(sheet: Sheet) -> Iterator[tuple[str, str, str]]:
    """Yield the surface words of a sheet, each with its class and its lemma."""
    for noun in sheet.nouns.values():
        if noun.singular[0].isupper():
            yield noun.singular.lower(), "name", noun.singular.lower()
            continue
        name = NOUN_CLASSES.get(noun.kind, "noun")
        mass = not noun.plural and noun.kind == "thing"
        yield noun.singular, name + (" mass" if mass else " singular"), noun.singular
        if noun.plural:
            yield noun.plural, name + " plural", noun.singular
    for qualities in sheet.qualities.values():
        for quality in qualities:
            yield quality, "adjective", quality
    for quality, degree in sheet.comparatives.items():
        yield degree, "comparative", quality
    for manner, verb, restriction in sheet.verbs:
        # It only matters whether there is an object, not which one.
        objects = sheet.members("people") if ">" in restriction else ()
        for form, name in _verb_forms(Deed(manner, verb, (), objects)):
            yield form, name, verb.base


def _entries() -> Iterator[tuple[str, str, str]]:
    """Yield all surface words with class and lemma; a function word has an empty lemma."""
    for name, listed in FUNCTION_WORDS.items():
        for word in listed.split():
            yield word, name, word if name in CONTENT_CLASSES else ""
    for word, kind in HYPERNYMS.items():
        yield word, "kind of " + kind, word
    for sheet in _sheets():
        yield from _sheet_entries(sheet)


@cache
def _classes() -> dict[str, tuple[str, str]]:
    """Return the class and the lemma of every word."""
    found: dict[str, tuple[str, str]] = {}
    clashes: list[str] = []
    for word, name, lemma in _entries():
        if found.setdefault(word, (name, lemma)) != (name, lemma):
            clashes.append(f"{word}: {found[word]} and {(name, lemma)}")
    if clashes:
        raise ValueError("words with two classes: " + "; ".join(clashes))
    return found


@cache
def lemmas() -> dict[str, str]:
    """Return the lemma of every content word."""
    return {word: lemma for word, (_, lemma) in _classes().items() if lemma}


def tag(word: str) -> str | None:
    """Return the lexical class of a lower-case word; None if the word is unknown."""
    known = _classes().get(word)
    return known[0] if known else None


@cache
def _kinds() -> dict[str, frozenset[str]]:
    """Return the category of every noun and name."""
    found = {word: frozenset({kind}) for word, kind in HYPERNYMS.items()}
    for sheet in _sheets():
        for noun in sheet.nouns.values():
            category = frozenset({CATEGORIES.get(noun.kind, noun.kind)})
            found[noun.singular.lower()] = category
            if noun.plural:
                found[noun.plural] = category
    return found


def categories(word: str) -> frozenset[str]:
    """Return which of person, place, animal and thing the word names; none if it is no noun."""
    return _kinds().get(word, frozenset())


@cache
def content_words(domain: str) -> tuple[str, ...]:
    """Return the domain's own content words, sorted."""
    return tuple(sorted({word for word, _, _ in _sheet_entries(own_sheet(domain))}))


@cache
def vocabulary() -> tuple[str, ...]:
    """Return every word that the grammar can produce, sorted."""
    return tuple(sorted(_classes()))
