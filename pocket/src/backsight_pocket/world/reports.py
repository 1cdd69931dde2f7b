"""Reports: three to eight sentences about one domain, of which one or two say what mattered.

Every sentence is a fact, a clause of its own. A main fact is marked by the words it begins with ("Above all, the sailor
moored a boat."); it may stand anywhere. The other facts stand bare or begin with words like "Besides". The headline has
the main facts in their short form, in the order of the report.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from backsight_pocket.world.clauses import Clause, draw
from backsight_pocket.world.domain import load
from backsight_pocket.world.english import clause_in_words, sentence, short_form
from backsight_pocket.world.tags import lemmas, words

MAIN_MARKS = ("Above all,", "Mainly,", "Most of all,")
SIDE_MARKS = ("", "", "Besides,", "Meanwhile,")
SAME_SUBJECT_SHARE = 0.4
"""Share of facts about the subject of an earlier fact, so that the subject alone does not tell facts apart."""

NEGATIONS = frozenset(("not", "never", "no"))
_BOUNDARY = re.compile(r"[;.,:!?]|\band\b|\bbut\b")


@dataclass(frozen=True, slots=True)
class Report:
    """A report: facts in the order they are told, and the words each begins with."""

    domain: str
    facts: tuple[Clause, ...]
    marks: tuple[str, ...]

    @property
    def main(self) -> tuple[int, ...]:
        """Numbers of the main facts."""
        return tuple(number for number, mark in enumerate(self.marks) if mark in MAIN_MARKS)

    @property
    def headline(self) -> str:
        """Short forms of the main facts, like "sailor moored boat; captain was tired"."""
        return "; ".join(short_form(self.facts[number]) for number in self.main)

    def __str__(self) -> str:
        told = zip(self.marks, self.facts, strict=True)
        return " ".join(f"{mark} {clause_in_words(fact)}." if mark else sentence(fact) for mark, fact in told)


def draw_report(
    rng: random.Random, domain: str, num_facts: int, num_main: int, extras: Sequence[int] = (0, 1, 2)
) -> Report:
    """Draw a report of this domain whose facts all tell of different deeds or states."""
    facts: list[Clause] = []
    while len(facts) < num_facts:
        able = [fact.subject.noun for fact in facts if fact.subject.noun in load(domain).abilities]
        about = rng.choice(able) if able and rng.random() < SAME_SUBJECT_SHARE else ""
        fact = _fact(rng, domain, rng.choice(extras), about)
        if not {fact.verb, fact.state} & {word for other in facts for word in (other.verb, other.state)} - {"", "be"}:
            facts.append(fact)
    main = rng.sample(range(num_facts), num_main)
    marks = tuple(rng.choice(MAIN_MARKS if number in main else SIDE_MARKS) for number in range(num_facts))
    return Report(domain, tuple(facts), marks)


def _fact(rng: random.Random, domain: str, num_extras: int, about: str) -> Clause:
    """Draw a clause in the past or the future tense."""
    while True:
        clause = draw(rng, domain, num_extras, about, pronouns=False)
        if clause.tense != "present":
            return clause


def with_main(report: Report, main: Collection[int], rng: random.Random) -> Report:
    """Return the report with the same facts in the same order, and these as the main ones."""
    marks = list(report.marks)
    for number, mark in enumerate(marks):
        if number in main and mark not in MAIN_MARKS:
            marks[number] = rng.choice(MAIN_MARKS)
        elif number not in main and mark in MAIN_MARKS:
            marks[number] = rng.choice(SIDE_MARKS)
    return replace(report, marks=tuple(marks))


def find_covered(report: Report, summary: str) -> tuple[int, ...]:
    """Return the numbers of the facts that a summary tells.

    A fact is told when one part of the summary (between punctuation marks, "and" and "but") has its words in their
    order, in whatever form and with whatever between them, and a negation if and only if the fact has one.
    """
    parts = [words(part) for part in _BOUNDARY.split(summary.lower())]
    return tuple(number for number, fact in enumerate(report.facts) if any(_tells(part, fact) for part in parts))


def told_plainly(report: Report, summary: str) -> tuple[int, ...]:
    """Return the numbers of the facts that a summary tells in their short form.

    There are none if the summary says anything else, or a fact twice.
    """
    numbers = {short_form(fact).lower(): number for number, fact in enumerate(report.facts)}
    parts = [part.strip() for part in _BOUNDARY.split(summary.lower()) if part.strip()]
    is_plain = all(part in numbers for part in parts) and len(set(parts)) == len(parts)
    return tuple(sorted(numbers[part] for part in parts)) if is_plain else ()


def _tells(part: Sequence[str], fact: Clause) -> bool:
    lemma = lemmas()
    spoken = iter([lemma.get(word, word) for word in part])
    wanted = [lemma.get(word, word) for word in words(short_form(fact)) if word in lemma]
    return all(word in spoken for word in wanted) and bool(NEGATIONS & set(part)) is fact.negated
