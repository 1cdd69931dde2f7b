"""Domains, prepared for the grammar: their nouns by kind, and their deeds by who can do them."""

from dataclasses import dataclass
from functools import cache
from importlib import import_module

from backsight_pocket.world.general import NAMES
from backsight_pocket.world.general import SHEET as GENERAL_SHEET
from backsight_pocket.world.lexicon import Noun
from backsight_pocket.world.sheet import Deed, Sheet

DOMAINS = (
    "harbour",
    "farm",
    "market",
    "school",
    "castle",
    "forest",
    "kitchen",
    "workshop",
    "hospital",
    "theatre",
    "railway",
    "garden",
)
HELD_OUT_DOMAINS = ("mountain", "library")

# How often a deed of the domain's own is told for each time that a general one is.
OWN_WEIGHT = 5


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain: the words that the grammar chooses from. A deed is listed as often as its weight says."""

    names: tuple[Noun, ...]
    people: tuple[Noun, ...]
    movables: tuple[Noun, ...]  # what "there was" may be said of: people, animals, things and masses
    places: tuple[Noun, ...]
    events: tuple[Noun, ...]
    deeds: tuple[Deed, ...]  # do, feel and go, by people, animals and things
    acts: tuple[Deed, ...]  # those with an object that are no lasting state
    own_acts: tuple[Deed, ...]  # those that are the domain's own
    happenings: tuple[Deed, ...]  # by weather and events
    clausal: dict[str, tuple[Deed, ...]]  # say, want and give
    abilities: dict[str, tuple[Deed, ...]]  # the deeds of each noun
    handling: dict[str, tuple[Deed, ...]]  # the acts done to each noun
    comparatives: dict[str, tuple[str, ...]]  # of each noun
    described: tuple[Noun, ...]  # what has qualities
    compared: tuple[Noun, ...]  # what has comparatives


def sheet_text(name: str) -> str:
    """Return the sheet of a domain as text."""
    module = import_module(f"backsight_pocket.world.domains.{name}")
    text: str = module.SHEET
    return text


@cache
def own_sheet(name: str) -> Sheet:
    """Return the sheet of the domain's own words."""
    return Sheet().read(sheet_text(name))


@cache
def general_sheet() -> Sheet:
    """Return the sheet of the words that all domains share."""
    return Sheet().read(NAMES).read(GENERAL_SHEET)


@cache
def load(name: str) -> Domain:
    """Load the domain of this name."""
    sheet = Sheet().read(NAMES).read(GENERAL_SHEET)
    general_verbs = {verb.base for _, verb, _ in sheet.verbs}
    sheet.read(sheet_text(name))
    sheet.settle()
    deeds: list[Deed] = []
    own_acts: list[Deed] = []
    happenings: list[Deed] = []
    clausal: dict[str, tuple[Deed, ...]] = {}
    for deed in sheet.deeds():
        own = deed.verb.base not in general_verbs
        if deed.subjects[0].kind in ("event", "weather"):
            happenings.append(deed)
        elif deed.manner in ("say", "want", "give"):
            clausal[deed.manner] = (*clausal.get(deed.manner, ()), deed)
        else:
            deeds += [deed] * (OWN_WEIGHT if own else 1)
            if own and deed.objects:
                own_acts.append(deed)
    acts = tuple(deed for deed in deeds if deed.objects and deed.manner == "do")
    nouns = [noun for noun in sheet.nouns.values() if noun.kind != "weather"]
    comparatives = {
        noun.singular: tuple(sheet.comparatives[q] for q in noun.qualities if q in sheet.comparatives) for noun in nouns
    }
    able: dict[str, list[Deed]] = {}
    handling: dict[str, list[Deed]] = {}
    for deed in deeds:
        for noun in deed.subjects:
            able.setdefault(noun.singular, []).append(deed)
    for deed in acts:
        for noun in deed.objects:
            handling.setdefault(noun.singular, []).append(deed)
    for noun in sheet.members("names"):
        able[noun.singular] = [deed for deed in deeds if deed.subjects[0].kind == "person"]
    return Domain(
        names=sheet.members("names"),
        people=sheet.members("people"),
        movables=sheet.members("people animals things things mass"),
        places=sheet.members("places"),
        events=sheet.members("events"),
        deeds=tuple(deeds),
        acts=acts,
        own_acts=tuple(own_acts),
        happenings=tuple(happenings),
        clausal=clausal,
        abilities={noun: tuple(found) for noun, found in able.items()},
        handling={noun: tuple(found) for noun, found in handling.items()},
        comparatives=comparatives,
        described=tuple(noun for noun in nouns if noun.qualities),
        compared=tuple(noun for noun in nouns if comparatives[noun.singular]),
    )
