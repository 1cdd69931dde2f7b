"""The recogniser, which tells whether a text could be a sentence of this world, without building one."""

import random
import re
from collections.abc import Iterable, Iterator
from functools import cache

from backsight_pocket.world.domain import DOMAINS, HELD_OUT_DOMAINS
from backsight_pocket.world.grammar import sentence
from backsight_pocket.world.lexicon import article
from backsight_pocket.world.tags import lemmas, tag, vocabulary

Trigram = tuple[str, str, str]

SAMPLE_SIZE = 80_000
SAMPLE_SEED = 20_240_601
# The present tense is rarer and has more forms, so the sample needs more of it.
SAMPLE_PAST_SHARE = 0.6

_SHAPE = re.compile(r"[A-Z][a-z]*(?:,? [A-Za-z]+)*\.")


def _tokens(text: str) -> list[str]:
    """Split a text into lower-case words, with each comma as a token of its own."""
    return text[:-1].lower().replace(",", " ,").split()


def _trigrams(tags: Iterable[str]) -> Iterator[Trigram]:
    """Yield each three neighbouring classes, with a mark at either end of the sentence."""
    marked = ["<", *tags, ">"]
    return zip(marked, marked[1:], marked[2:], strict=False)


@cache
def known_trigrams() -> frozenset[Trigram]:
    """Return the trigrams of classes in a fixed sample of sentences of all domains."""
    rng = random.Random(SAMPLE_SEED)
    names = DOMAINS + HELD_OUT_DOMAINS
    class_of = {word: tag(word) or "" for word in vocabulary()} | {",": ","}
    found: set[Trigram] = set()
    for turn in range(SAMPLE_SIZE):
        text = sentence(rng, names[turn % len(names)], SAMPLE_PAST_SHARE)
        found.update(_trigrams(map(class_of.__getitem__, _tokens(text))))
    return frozenset(found)


def is_well_formed(text: str) -> bool:
    """Return whether the text reads as one sentence of the grammar."""
    if not _SHAPE.fullmatch(text):
        return False
    tokens = _tokens(text)
    tags = ["," if token == "," else tag(token) for token in tokens]
    known = [name for name in tags if name]
    if len(known) < len(tags):
        return False
    for left, right in zip(tokens, tokens[1:], strict=False):
        if left == right or (left in ("a", "an") and left != article(right)):
            return False
    lemma = lemmas()
    content = [lemma[token] for token in tokens if token in lemma]
    return len(set(content)) == len(content) and known_trigrams().issuperset(_trigrams(known))
