"""The world speaks well-formed English, the same for the same seed, and keeps its domains apart."""

import os
import random
import subprocess
import sys
from itertools import pairwise

import pytest

from backsight_pocket.world import (
    DOMAINS,
    HELD_OUT_DOMAINS,
    categories,
    content_words,
    is_well_formed,
    sentence,
    tag,
    vocabulary,
    words,
)
from backsight_pocket.world.grammar import LONGEST, SHORTEST
from backsight_pocket.world.lexicon import article, comparative, conjugate, with_s
from backsight_pocket.world.tags import lemmas

ALL_DOMAINS = DOMAINS + HELD_OUT_DOMAINS


def told(seed: int, count: int, domains: tuple[str, ...] = ALL_DOMAINS) -> list[str]:
    """Sentences, the domains taking turns."""
    rng = random.Random(seed)
    return [sentence(rng, domains[turn % len(domains)]) for turn in range(count)]


@pytest.fixture(scope="module")
def sample() -> list[str]:
    return told(11, 20_000)


def test_the_same_seed_tells_the_same_in_any_process() -> None:
    code = (
        "import random; from backsight_pocket.world import *; rng = random.Random(3);"
        "print(*(sentence(rng, name) for name in DOMAINS + HELD_OUT_DOMAINS), sep='\\n')"
    )
    for hash_seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert run.stdout.splitlines() == told(3, len(ALL_DOMAINS))


def test_there_are_twelve_domains_and_two_held_out() -> None:
    assert len(DOMAINS) == 12 and len(HELD_OUT_DOMAINS) == 2
    assert len(set(ALL_DOMAINS)) == 14


def test_the_vocabulary_is_of_the_size_of_a_small_world() -> None:
    assert 2_000 <= len(vocabulary()) <= 3_000
    assert list(vocabulary()) == sorted(set(vocabulary()))


def test_every_word_of_a_sentence_is_in_the_vocabulary_and_has_a_class(sample: list[str]) -> None:
    used = {word for text in sample for word in words(text)}
    assert used <= set(vocabulary())
    assert all(tag(word) for word in vocabulary())
    # The grammar reaches what the lexicon holds; a few inflected forms are rare.
    assert len(used) >= 0.98 * len(vocabulary())


def test_an_unknown_word_has_no_class_and_no_category() -> None:
    assert tag("zeppelin") is None
    assert categories("zeppelin") == frozenset()


def test_no_two_domains_share_a_content_word() -> None:
    owner: dict[str, str] = {}
    for domain in ALL_DOMAINS:
        for word in content_words(domain):
            assert owner.setdefault(word, domain) == domain, word


def test_trained_domains_never_speak_of_the_held_out_ones() -> None:
    hidden = {word for domain in HELD_OUT_DOMAINS for word in content_words(domain)}
    assert not any(hidden & set(words(text)) for text in told(5, 12_000, DOMAINS))


@pytest.mark.parametrize("domain", ALL_DOMAINS)
def test_a_domain_is_spoken_of_in_its_own_words(domain: str) -> None:
    own = set(content_words(domain))
    texts = told(7, 300, (domain,))
    assert len(own) >= 150
    assert sum(bool(own & set(words(text))) for text in texts) >= 0.85 * len(texts)


def test_lengths_are_spread(sample: list[str]) -> None:
    lengths = sorted(len(words(text)) for text in sample)
    assert lengths[0] >= SHORTEST and lengths[-1] <= LONGEST
    assert 9.0 <= sum(lengths) / len(lengths) <= 10.2
    assert 0.2 <= sum(length <= 7 for length in lengths) / len(lengths) <= 0.3
    assert 0.2 <= sum(length >= 12 for length in lengths) / len(lengths) <= 0.3


def test_no_content_word_comes_twice(sample: list[str]) -> None:
    lemma = lemmas()
    for text in sample:
        content = [lemma[word] for word in words(text) if word in lemma]
        assert len(content) == len(set(content)), text


def test_the_indefinite_article_agrees_with_the_next_word(sample: list[str]) -> None:
    for text in sample:
        for left, right in pairwise(words(text)):
            if left in ("a", "an"):
                spoken = {"useful": "juseful", "ewe": "jewe", "honest": "onest"}.get(right, right)
                assert left == ("an" if spoken[0] in "aeiou" else "a"), text


def test_sentences_are_hardly_ever_the_same(sample: list[str]) -> None:
    assert len(set(sample)) >= 0.97 * len(sample)


def test_fresh_sentences_are_well_formed() -> None:
    fresh = told(99, 20_000)
    assert sum(map(is_well_formed, fresh)) >= 0.995 * len(fresh)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "The sailor and the sailor worked.",  # the same noun twice
        "The sailor moored the boat that sailors moor.",  # the same verb twice, in two forms
        "The old the boat.",
        "The sailor moored a island.",
        "The the sailor slept.",
        "The sailor slept slept.",
        "the sailor slept.",
        "The sailor slept",
        "The sailor slept..",
        "The sailor slept. The gull.",
        "The sailor  slept.",
        "The sailor , slept.",
        "The zeppelin slept.",
        "Sailor the slept.",
        "The sailor slept the.",
        "The sailor were.",
        "The sailor moored.",
        "Two sailor slept.",
        "A sailors slept.",
        "The sailor did not slept.",
        "The sailor was tired because.",
    ],
)
def test_malformed_texts_are_rejected(text: str) -> None:
    assert not is_well_formed(text)


@pytest.mark.parametrize(
    "text",
    [
        "The sailor slept.",
        "A baker kneaded the dough.",
        "When the storm passed, the captain laughed.",
        "The ferry was older than the canoe.",
        "Anna saw three gulls near the pier.",
    ],
)
def test_plain_sentences_are_accepted(text: str) -> None:
    assert is_well_formed(text)


def test_words_are_bare_and_lower_case() -> None:
    assert words("The clerk left.") == ["the", "clerk", "left"]
    assert words("When Anna smiled, he ran.") == ["when", "anna", "smiled", "he", "ran"]
    assert words(" ... ") == []


@pytest.mark.parametrize(
    ("word", "category"),
    [
        ("baker", "person"),
        ("bakers", "person"),
        ("anna", "person"),
        ("harbour", "place"),
        ("wolves", "animal"),
        ("dough", "thing"),
        ("knives", "thing"),
    ],
)
def test_nouns_have_their_category(word: str, category: str) -> None:
    assert categories(word) == {category}


def test_verbs_and_qualities_have_no_category() -> None:
    assert not categories("kneaded") and not categories("tired") and not categories("the")


@pytest.mark.parametrize(
    ("entry", "forms"),
    [
        ("bake", "bake bakes baked baked baking"),
        ("chop", "chop chops chopped chopped chopping"),
        ("carry", "carry carries carried carried carrying"),
        ("polish", "polish polishes polished polished polishing"),
        ("load", "load loads loaded loaded loading"),
        ("cross", "cross crosses crossed crossed crossing"),
        ("tie", "tie ties tied tied tying"),
        ("take/took/taken", "take takes took taken taking"),
        ("keep/kept", "keep keeps kept kept keeping"),
    ],
)
def test_verbs_are_conjugated(entry: str, forms: str) -> None:
    verb = conjugate(entry)
    assert [verb.base, verb.third, verb.past, verb.participle, verb.gerund] == forms.split()


def test_nouns_and_qualities_are_inflected() -> None:
    plurals = {"boat": "boats", "box": "boxes", "ferry": "ferries", "donkey": "donkeys"}
    degrees = {"big": "bigger", "happy": "happier", "old": "older", "large": "larger"}
    articles = {"apple": "an", "useful": "a", "hour": "an", "boat": "a"}
    assert {noun: with_s(noun) for noun in plurals} == plurals
    assert {quality: comparative(quality) for quality in degrees} == degrees
    assert {word: article(word) for word in articles} == articles
