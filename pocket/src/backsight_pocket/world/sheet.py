"""Sheets, and how they are read: the compact notation in which the words of a domain are written down.

    people: sailor fisherman/fishermen=he       persons; an irregular plural after "/", a pronoun after "="
    animals birds: gull                         animals of the group "birds"
    places in: harbour cove                     places, with the preposition that goes before them
    things boats!: ferry                        things of the group "boats", which cannot be carried about
    things grain: wheat~                        a mass noun
    events: voyage
    weather: sun^                               always goes with "the" and nothing else
    qualities boats gear: leaky old+            adjectives of these groups; "+" also gives a comparative
    do catch/caught: fisherman > catch with net a verb, who does it, to what and with what
    feel like: people > animals                 a verb of lasting states
    go swim/swam: swimmers                      a verb of motion

Subjects, objects and instruments are groups or single nouns; the groups of `GENERAL_GROUPS` exist in every domain.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from backsight_pocket.world.lexicon import Noun, Verb, comparative, conjugate, with_s

KINDS = {
    "people": "person",
    "animals": "animal",
    "things": "thing",
    "places": "place",
    "events": "event",
    "weather": "weather",
}
GENERAL_GROUPS = (*KINDS, "names", "mass", "portable")
VERB_HEADS = ("do", "feel", "go", "say", "want", "give")


@dataclass(frozen=True, slots=True)
class Deed:
    """A verb together with the nouns that suit it as subject, object and instrument."""

    manner: str  # the head of its line: do, feel, go, say, want or give
    verb: Verb
    subjects: tuple[Noun, ...]
    objects: tuple[Noun, ...] = ()
    instruments: tuple[Noun, ...] = ()


@dataclass
class Sheet:
    """The words of one or several sheets, before the verbs are matched with their nouns."""

    groups: dict[str, list[str]] = field(default_factory=dict)
    nouns: dict[str, Noun] = field(default_factory=dict)
    qualities: dict[str, list[str]] = field(default_factory=dict)
    comparatives: dict[str, str] = field(default_factory=dict)
    verbs: list[tuple[str, Verb, str]] = field(default_factory=list)

    def read(self, text: str) -> "Sheet":
        """Read a text of the notation, add its words, and return the sheet."""
        for line in filter(None, map(str.strip, text.splitlines())):
            head, _, entries = line.partition(":")
            manner, *groups = head.split()
            if manner in VERB_HEADS:
                self.verbs.append((manner, conjugate(groups[0]), entries))
            elif manner == "qualities":
                self._read_qualities(groups, entries.split())
            else:
                for entry in entries.split():
                    self._read_noun(entry, manner, "".join(groups))
        return self

    def _read_qualities(self, groups: list[str], entries: list[str]) -> None:
        for entry in entries:
            quality = entry.rstrip("+")
            if entry.endswith("+"):
                self.comparatives[quality] = comparative(quality)
            for group in groups:
                self.qualities.setdefault(group, []).append(quality)

    def _read_noun(self, entry: str, section: str, group: str) -> None:
        spelling, _, pronoun = entry.partition("=")
        singular, _, plural = spelling.rstrip("~^").partition("/")
        kind = KINDS[section]
        if kind in ("place", "event") or spelling.endswith(("~", "^")) or group == "names":
            plural = ""
        else:
            plural = plural or with_s(singular)
        fixed = {"^": "the " + singular}.get(spelling[-1], singular if group == "names" else "")
        self.nouns[singular] = Noun(
            singular,
            plural,
            kind,
            pronoun or ("" if kind == "person" else "it"),
            fixed,
            group if kind == "place" else "",
        )
        named = [group.rstrip("!")] if group else []
        if kind == "thing":
            named.append("things" if plural else "mass")
            if not group.endswith("!"):
                named.append("portable")
        elif group != "names":
            named.append(section)
        for name in named:
            self.groups.setdefault(name, []).append(singular)

    def settle(self) -> None:
        """Give every noun the qualities of the groups it is in."""
        common: dict[str, list[str]] = {}
        special: dict[str, list[str]] = {}
        for group, members in self.groups.items():
            found = common if group in GENERAL_GROUPS else special
            for member in members:
                found.setdefault(member, []).extend(self.qualities.get(group, ()))
        for singular, noun in self.nouns.items():
            traits = tuple(dict.fromkeys(special.get(singular, ())))
            qualities = (*traits, *dict.fromkeys(common.get(singular, ())))
            self.nouns[singular] = replace(noun, qualities=qualities, traits=traits)

    def members(self, names: str) -> tuple[Noun, ...]:
        """Return the nouns that these groups and single nouns stand for, each once."""
        found: dict[str, None] = {}
        for name in names.split():
            if name in self.groups or name in GENERAL_GROUPS:
                found.update(dict.fromkeys(self.groups.get(name, ())))
            elif name in self.nouns:
                found[name] = None
            else:
                raise ValueError(f"{name!r} is neither a group nor a noun of this sheet")
        return tuple(self.nouns[singular] for singular in found)

    def deeds(self) -> Iterator[Deed]:
        """Yield the verbs, matched with their nouns."""
        for manner, verb, restriction in self.verbs:
            subjects, _, rest = restriction.partition(">")
            objects, _, instruments = rest.partition(" with ")
            deed = Deed(manner, verb, self.members(subjects), self.members(objects), self.members(instruments))
            # A general verb may have nothing to act on in this domain: not every domain has animals.
            if deed.subjects and (deed.objects or not rest):
                yield deed
