"""Reviews: one to four opinions, perhaps an overall verdict, and the label that follows from them.

An opinion is good or bad; a negation turns it around, a degree does not. The score of a review is the number of its
good opinions less that of its bad ones, with the verdict counted twice. A review is good from 2 up, bad from -2 down,
and mixed in between. So no single word decides: "not stale" is praise, and "but" stands in good reviews as well as in
bad ones.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from backsight_pocket.world.domain import general_sheet, load
from backsight_pocket.world.english import capitalise

LABELS = ("bad", "mixed", "good")
VERDICT_WEIGHT, DECIDED = 2, 2
DEGREES = ("", "", "very", "quite")
NEGATED_SHARE, VERDICT_SHARE, CONCESSION_SHARE = 0.4, 0.6, 0.3
OWN_SHARE = 0.5
"""Share of opinions with a quality that is the domain's own, where there is one."""
VERDICTS = {"like": "liked", "love": "loved", "enjoy": "enjoyed", "hate": "hated", "dislike": "disliked"}
GOOD_VERDICTS = ("like", "love", "enjoy")

# Qualities that are praise or blame of whatever they are said about; the others are facts.
_PRAISE = """
clever kind careful brave friendly honest polite useful beautiful fresh fine good quiet pleasant wonderful
seaworthy sleek playful thrifty juicy golden fertile sweet fragrant colourful fancy shiny diligent punctual easy
loyal gallant gleaming precious noble swift watchful nimble edible tidy crisp tasty creamy spotless
skilful handy sturdy powerful handmade gentle sterile effective soft clean modern bright hygienic
talented graceful glittering tuneful hilarious magical dazzling obedient fast rapid cheerful scented lush sunny
adventurous agile majestic waterproof wise priceless readable spacious
"""
_BLAME = """
lazy angry strange crowded dark noisy boring leaky tarry slimy muddy stubborn rickety creaky
stingy overripe costly counterfeit scruffy mangy mischievous absent blunt difficult smudgy haughty gloomy haunted
fierce crooked poisonous greedy stale lumpy sticky lukewarm sour greasy dented sneaky smoky rusty lopsided
brittle dusty cluttered hideous bitter nervous tragic dim impatient late bulky crumpled sooty draughty
sluggish thorny overgrown damp blunted jagged steep icy forgetful faded yellowed
"""
PRAISE, BLAME = frozenset(_PRAISE.split()), frozenset(_BLAME.split())


@dataclass(frozen=True, slots=True)
class Opinion:
    """An opinion, like "the soup was not very stale"."""

    noun: str
    quality: str
    negated: bool = False
    degree: str = ""

    @property
    def is_good(self) -> bool:
        return (self.quality in PRAISE) is not self.negated

    def __str__(self) -> str:
        words = ("the", self.noun, "was", "not" if self.negated else "", self.degree, self.quality)
        return " ".join(filter(None, words))


@dataclass(frozen=True, slots=True)
class Verdict:
    """An overall verdict, like "overall I did not like it"."""

    verb: str
    negated: bool = False

    @property
    def is_good(self) -> bool:
        return (self.verb in GOOD_VERDICTS) is not self.negated

    def __str__(self) -> str:
        return f"overall I {f'did not {self.verb}' if self.negated else VERDICTS[self.verb]} it"


@dataclass(frozen=True, slots=True)
class Review:
    """A customer's review, with each opinion about something else."""

    domain: str
    opinions: tuple[Opinion, ...]
    verdict: Verdict | None = None
    concedes: bool = False
    """Whether two unlike opinions at the start are put as "Although the soup was stale, the waiter was friendly"."""

    @property
    def label(self) -> str:
        score = sum(1 if opinion.is_good else -1 for opinion in self.opinions)
        if self.verdict is not None:
            score += VERDICT_WEIGHT if self.verdict.is_good else -VERDICT_WEIGHT
        return "good" if score >= DECIDED else "bad" if score <= -DECIDED else "mixed"

    def __str__(self) -> str:
        text = str(self.opinions[0])
        for number, (before, opinion) in enumerate(itertools.pairwise(self.opinions)):
            link = "and" if before.is_good is opinion.is_good else "but"
            if number == 0 and self.concedes and link == "but":
                text = f"although {text}, {opinion}"
            else:
                text = f"{text} {link} {opinion}"
        if self.verdict is not None:
            text += f", {'and' if self.opinions[-1].is_good is self.verdict.is_good else 'but'} {self.verdict}"
        return capitalise(text) + "."


@cache
def judged(domain: str) -> dict[str, tuple[str, ...]]:
    """Return the qualities that praise or blame each noun of the domain, for nouns with at least one such quality."""
    found = {
        noun.singular: tuple(quality for quality in noun.qualities if quality in PRAISE | BLAME)
        for noun in load(domain).described
        if not noun.fixed
    }
    return {noun: judgements for noun, judgements in found.items() if judgements}


def draw(rng: random.Random, domain: str, label: str, num_opinions: Sequence[int] = (2, 3)) -> Review:
    """Draw a review of this domain with this label; a single opinion always has a verdict beside it."""
    while True:
        count = rng.choice(num_opinions)
        nouns = rng.sample(list(judged(domain)), count)
        verdict = _verdict(rng) if count == 1 or rng.random() < VERDICT_SHARE else None
        opinions = tuple(_opinion(rng, noun, domain) for noun in nouns)
        review = Review(domain, opinions, verdict, rng.random() < CONCESSION_SHARE)
        if review.label == label and len({opinion.quality for opinion in opinions}) == count:
            return review


def _verdict(rng: random.Random) -> Verdict:
    return Verdict(rng.choice(list(VERDICTS)), rng.random() < NEGATED_SHARE)


def _opinion(rng: random.Random, noun: str, domain: str) -> Opinion:
    is_praise = rng.random() < 0.5
    fitting = [quality for quality in judged(domain)[noun] if (quality in PRAISE) is is_praise] or judged(domain)[noun]
    own = [quality for quality in fitting if quality not in _shared_qualities()]
    quality = rng.choice(own if own and rng.random() < OWN_SHARE else fitting)
    return Opinion(noun, quality, rng.random() < NEGATED_SHARE, rng.choice(DEGREES))


@cache
def _shared_qualities() -> frozenset[str]:
    return frozenset(quality for each in general_sheet().qualities.values() for quality in each)


def with_label(review: Review, label: str, rng: random.Random) -> Review:
    """Return the review with as few opinions turned around as this label needs, each by its negation or its quality.

    Every label can be reached: all opinions can be turned the same way, and one of them can be turned against the rest.
    """
    parts = range(len(review.opinions) + (review.verdict is not None))
    by_number = (
        [_turn(review, which, rng) for which in itertools.combinations(parts, num_turned)]
        for num_turned in range(len(parts) + 1)
    )
    fitting = ([each for each in changed if each.label == label] for changed in by_number)
    return rng.choice(next(filter(None, fitting)))


def _turn(review: Review, which: Sequence[int], rng: random.Random) -> Review:
    opinions = list(review.opinions)
    verdict = review.verdict
    for number in which:
        if number < len(opinions):
            opinions[number] = rng.choice(list(_opposites(opinions[number], review)))
        elif verdict is not None:
            verdict = replace(verdict, negated=not verdict.negated)
    return replace(review, opinions=tuple(opinions), verdict=verdict)


def _opposites(opinion: Opinion, review: Review) -> Iterator[Opinion]:
    """Yield opinions that say the opposite: with or without the negation, or by another quality."""
    yield replace(opinion, negated=not opinion.negated)
    used = {each.quality for each in review.opinions}
    for quality in judged(review.domain)[opinion.noun]:
        other = replace(opinion, quality=quality)
        if quality not in used and other.is_good is not opinion.is_good:
            yield other
