"""Nouns and verbs, and the inflected forms that are made from a dictionary entry."""

from dataclasses import dataclass

VOWELS = "aeiou"
# Beginnings spelled with a vowel but spoken with a consonant, and the other way round.
_TAKES_A = ("uni", "use", "usu", "ewe", "one")
_TAKES_AN = ("hour", "honest", "heir")


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun or a name of one domain, with the qualities that suit it."""

    singular: str
    plural: str  # empty for a mass noun or a name
    kind: str  # person, animal, thing, place, event or weather
    pronoun: str  # he, she or it; empty where either he or she will do
    fixed: str = ""  # the whole phrase of what takes no determiner of its own: "Anna", "the sun"
    preposition: str = ""  # of a place: in, on or at
    qualities: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()  # those qualities that are not common to its whole kind


@dataclass(frozen=True, slots=True)
class Verb:
    """The forms of a verb."""

    base: str
    third: str
    past: str
    participle: str
    gerund: str


def article(word: str) -> str:
    """Return the indefinite article that goes before this word."""
    if word[0] in VOWELS:
        return "a" if word.startswith(_TAKES_A) else "an"
    return "an" if word.startswith(_TAKES_AN) else "a"


def with_s(word: str) -> str:
    """Return the regular plural of a noun, which is also the regular third person of a verb."""
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in VOWELS:
        return word[:-1] + "ies"
    return word + "s"


def _doubles(word: str) -> bool:
    """Return whether the last letter doubles before a vowel: in a single syllable that ends like "chop"."""
    syllables = sum(letter in VOWELS and (i == 0 or word[i - 1] not in VOWELS) for i, letter in enumerate(word))
    return (
        syllables == 1
        and len(word) > 2
        and word[-1] not in VOWELS + "wxy"
        and word[-2] in VOWELS
        and (word[-3] not in VOWELS or word[-3:-1] == "ui" and word[-4] == "q")
    )


def _add_ending(word: str, ending: str) -> str:
    """Return the word with "ed", "er" or "ing" after it, spelled the regular way."""
    if word.endswith("e") and not (ending == "ing" and word.endswith(("ee", "oe", "ye"))):
        return word[:-1] + ending
    if word.endswith("y") and word[-2] not in VOWELS and ending != "ing":
        return word[:-1] + "i" + ending
    return word + word[-1] + ending if _doubles(word) else word + ending


def comparative(adjective: str) -> str:
    """Return the regular comparative: "big" gives "bigger"."""
    return _add_ending(adjective, "er")


def conjugate(entry: str) -> Verb:
    """Make a verb from its entry: "bake", "keep/kept" or "take/took/taken"."""
    base, *rest = entry.split("/")
    third = base + "es" if base.endswith("o") else with_s(base)
    past = rest[0] if rest else _add_ending(base, "ed")
    participle = rest[1] if len(rest) > 1 else past
    gerund = base[:-2] + "ying" if base.endswith("ie") else _add_ending(base, "ing")
    return Verb(base, third, past, participle, gerund)
