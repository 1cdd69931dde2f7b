"""The texts that the pocket model is pretrained on: plain sentences, and every task in its simplest form.

The model is to know every domain and every format and to manage one thing at a time: one constraint, clauses with one
extra, one opinion, short reports, one question of a dialogue. It sees no combination. Of the domains kept for
evaluation, it reads plain sentences, instructions, single words in both languages, single opinions, and dialogues that
are only about a thing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backsight_pocket import dialogue, sentiment, summarization, translation, world
from backsight_pocket.constraints import KINDS, Sentence, draw
from backsight_pocket.instructions import prompt_of
from backsight_pocket.world import clauses, english, errands, reports, reviews, tarin

DOMAINS = (*world.DOMAINS, *world.HELD_OUT_DOMAINS)
CLAUSE_EXTRAS = (0, 1)
REPORT_FACTS = (2, 3)
ERRAND_SLOTS = (1, 2)
CLUMSY_SHARE = 0.3
"""Share of dialogues that begin with an unhelpful turn, which the assistant then has to make good."""


@dataclass(frozen=True, slots=True)
class Document:
    """A text to pretrain on: a prompt (empty for a plain sentence), the completion, and the word that is demanded."""

    prompt: str
    completion: str
    demanded: str = ""


def documents(seed: int) -> Iterator[Document]:
    """Yield documents without end, the same for the same seed."""
    rng = random.Random(f"corpus {seed}")
    makers, shares = list(SHARES), list(SHARES.values())
    while True:
        (make,) = rng.choices(makers, shares)
        yield make(rng)


def _plain(rng: random.Random) -> Document:
    return Document("", " " + world.sentence(rng, rng.choice(DOMAINS)))


def _instruction(rng: random.Random) -> Document:
    kind = rng.choice(KINDS)
    while True:
        text = world.sentence(rng, rng.choice(DOMAINS))
        constraint = draw(kind, Sentence(text), (), rng)
        if constraint is not None:
            demanded = constraint.argument if kind in ("use", "start", "end") else ""
            return Document(prompt_of([constraint]), " " + text, demanded)


def _word(rng: random.Random) -> Document:
    """Make a single word of any domain in both languages: a noun, or a verb or a quality of a pronoun."""
    lemma = rng.choice((*clauses.nouns(), *clauses.predicates(), *clauses.qualities()))
    tense = rng.choice(clauses.TENSES)
    if lemma in clauses.nouns():
        phrase = clauses.drawn_phrase(rng, clauses.nouns()[lemma])
        source, target = english.phrase_in_words(phrase), tarin.phrase_in_words(phrase)
        return _make_translation(english.capitalise(source) + ".", target + ".")
    pronoun = rng.choice(list(clauses.PRONOUNS))
    subject = clauses.Phrase(pronoun, clauses.PRONOUNS[pronoun][1])
    if lemma in clauses.predicates():
        clause = clauses.Clause(subject, lemma, tense)
    else:
        clause = clauses.Clause(subject, "be", tense, state=lemma)
    return _make_translation(english.sentence(clause), tarin.sentence(clause))


def _clause(rng: random.Random) -> Document:
    clause = clauses.draw(rng, rng.choice(world.DOMAINS), rng.choice(CLAUSE_EXTRAS))
    return _make_translation(english.sentence(clause), tarin.sentence(clause))


def _make_translation(source: str, target: str) -> Document:
    return Document(translation.prompt_of(source), f" {target}")


def _review(rng: random.Random) -> Document:
    label = rng.choice(reviews.LABELS)
    review = reviews.draw(rng, rng.choice(DOMAINS), label, num_opinions=(1,))
    return Document(sentiment.prompt_of(review), f" {label}")


def _report(rng: random.Random) -> Document:
    num_main = rng.choice(summarization.MAIN_FACTS)
    report = reports.draw_report(rng, rng.choice(world.DOMAINS), rng.choice(REPORT_FACTS), num_main, CLAUSE_EXTRAS)
    return Document(summarization.prompt_of(report), f" {report.headline}")


def _dialogue(rng: random.Random) -> Document:
    """Make one turn of the expert, in a dialogue that needs at most one question."""
    while True:
        domain = rng.choice(DOMAINS)
        errand = errands.draw(rng, domain, rng.choice(ERRAND_SLOTS) if domain in world.DOMAINS else 1)
        turns = dialogue.expert_turns(errand, _clumsy(rng) if rng.random() < CLUMSY_SHARE else "")
        if len(errand.missing) <= 1 and turns:
            return Document(*rng.choice(turns))


def _clumsy(rng: random.Random) -> str:
    other = errands.draw(rng, rng.choice(world.DOMAINS), rng.choice(ERRAND_SLOTS))
    return rng.choice((f" Hello, {errands.in_words(other.wants)}.", " Which time, please?", " Hello."))


SHARES: dict[Callable[[random.Random], Document], float] = {
    _plain: 0.14,
    _instruction: 0.52,
    _word: 0.06,
    _clause: 0.1,
    _review: 0.05,
    _report: 0.06,
    _dialogue: 0.07,
}
"""Share of each kind of document."""
