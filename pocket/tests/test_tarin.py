"""Clauses and their two writers: agreement and sounds by hand, and the reading back of what was written."""

import os
import random
import subprocess
import sys

import pytest

from backsight_pocket.world import DOMAINS, HELD_OUT_DOMAINS, english, tarin, vocabulary
from backsight_pocket.world.clauses import Clause, Phrase, draw, is_sound, nouns, predicates
from backsight_pocket.world.tags import lemmas

ALL_DOMAINS = (*DOMAINS, *HELD_OUT_DOMAINS)
OLD_SAILORS = Phrase("sailor", plural=True, quality="old")

# puvum sailor, vago ferry, pakvo pier, ninhe harbour, jere dough, ramba cake, kusos old, maba leaky, fihik dark,
# zidit moor, konal walk, husa knead, zorku bake, bulpo be, kendi yesterday, faro on Monday
BY_HAND = [
    (
        Clause(Phrase("sailor", quality="old"), "moor", "past", Phrase("ferry", known=False), place=Phrase("pier")),
        "The old sailor moored a ferry on the pier.",
        "puvum kusosra pakvoda en vagoma ziditti.",
    ),
    (
        Clause(
            OLD_SAILORS,
            "moor",
            "past",
            Phrase("ferry", True, False, "leaky"),
            place=Phrase("pier"),
            time="yesterday",
            negated=True,
        ),
        "The old sailors did not moor some leaky ferries on the pier yesterday.",
        "kendi puvumlu kusosralu pakvoda en vagoluma mabazaluma ziditbedili.",
    ),
    (
        Clause(Phrase("we", True), "walk", "future", place=Phrase("harbour", quality="dark"), negated=True),
        "We will not walk to the dark harbour.",
        "ninhede fihikzede ru konalbakanulu.",
    ),
    (Clause(Phrase("ferry"), "be", "present", state="leaky"), "The ferry is leaky.", "vago mabaza bulposa."),
    (
        Clause(Phrase("sailor", True), "be", "past", state="old"),
        "The sailors were old.",
        "puvumlu kusosralu bulpodulu.",
    ),
    (
        Clause(Phrase("Anna"), "knead", "present", Phrase("dough", known=False)),
        "Anna kneads some dough.",
        "Anna en jereme husasa.",
    ),
    (
        Clause(Phrase("I"), "bake", "past", Phrase("cake", True), time="on Monday"),
        "I baked the cakes on Monday.",
        "faro rambaluma zorkudunu.",
    ),
    (Clause(Phrase("you"), "walk", "present", place=Phrase("pier")), "You walk to the pier.", "pakvoda ru konalsafu."),
    (Clause(Phrase("I"), "be", "present", state="old"), "I am old.", "kusosra bulposanu."),
]


def drawn(seed: int, count: int) -> list[Clause]:
    rng = random.Random(seed)
    return [draw(rng, rng.choice(ALL_DOMAINS), rng.choice((0, 1, 2, 3, 4))) for _ in range(count)]


@pytest.mark.parametrize(("clause", "in_english", "in_tarin"), BY_HAND)
def test_clauses_by_hand(clause: Clause, in_english: str, in_tarin: str) -> None:
    assert english.sentence(clause) == in_english
    assert tarin.sentence(clause) == in_tarin
    assert tarin.clause_of(f" {in_tarin} ") == clause


@pytest.mark.parametrize(
    ("stem", "endings", "spoken"),
    [
        ("vago", ("lU", "mA"), "vagoluma"),  # back vowels after a back vowel
        ("jere", ("lU", "mA"), "jerelime"),  # front vowels after a front one
        ("bulpo", ("dU",), "bulpodu"),
        ("zidit", ("dU", "nU"), "zidittini"),  # d is t after t, k and s
        ("fihik", ("dA",), "fihikte"),
        ("kusos", ("rA", "dA"), "kusosrada"),  # but not where something stands between
        ("Felix", ("mA",), "Felixme"),
        ("Anna", ("",), "Anna"),
    ],
)
def test_endings_sound_like_their_stem(stem: str, endings: tuple[str, ...], spoken: str) -> None:
    assert "".join(tarin.inflect(stem, endings)) == spoken


def test_qualities_agree_with_their_noun() -> None:
    old = {
        (noun, plural): tarin.phrase_in_words(Phrase(noun, plural, quality="old")).split()[1]
        for noun in ("sailor", "gull", "ferry")
        for plural in (False, True)
    }
    assert old["sailor", False] == old["gull", False] == "kusosra" and old["ferry", False] == "kusosza"
    assert old["sailor", True] == "kusosralu" and old["ferry", True] == "kusoszalu"


def test_no_two_words_are_spelled_alike() -> None:
    assert len(set(tarin.stems().values())) == len(tarin.stems()) > 1_200
    every = list(tarin.iterate_readings())
    assert len({"".join(tarin.pieces_of(reading)) for reading in every}) == len(every)
    english_words = set(vocabulary())
    assert not any(word in english_words for word in tarin.readings() if word.islower())


def test_stems_are_pronounceable() -> None:
    for lemma, stem in tarin.stems().items():
        if lemma not in nouns() or lemma.islower():
            assert 4 <= len(stem) <= 5 and stem[0] in tarin.CONSONANTS and stem[1] in "aeiou", stem
            vowels = {letter for letter in stem if letter in "aeiou"}
            assert vowels <= set(tarin.FRONT) or vowels <= set(tarin.BACK), stem


def test_the_same_stems_in_any_process() -> None:
    code = "from backsight_pocket.world.tarin import stems; print(*stems().values())"
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.split() == list(tarin.stems().values())


def test_what_was_written_is_read_back() -> None:
    sources: dict[str, Clause] = {}
    for clause in drawn(1, 2_000):
        assert tarin.clause_of(tarin.sentence(clause)) == clause
        assert sources.setdefault(english.sentence(clause), clause) == clause  # English loses nothing either


def test_drawn_clauses_make_sense() -> None:
    for clause in drawn(2, 2_000):
        assert is_sound(clause)
        content = [lemma for lemma in clause.lemmas if lemma != "be"]
        assert len(set(content)) == len(content)
        assert clause.verb == "be" or clause.verb in predicates()


def test_extras_are_counted() -> None:
    rng = random.Random(0)
    for num_extras in range(5):
        clause = draw(rng, "harbour", num_extras)
        qualities = sum(bool(phrase.quality) for phrase in clause.phrases)
        is_place_extra = clause.place is not None and predicates()[clause.verb].manner != "go"
        assert qualities + is_place_extra + bool(clause.time) + clause.negated == num_extras


def test_trained_domains_never_speak_of_the_held_out_ones() -> None:
    hidden = {lemma for name in HELD_OUT_DOMAINS for lemma in _own_lemmas(name)}
    rng = random.Random(4)
    told = [draw(rng, rng.choice(DOMAINS), 2) for _ in range(2_000)]
    assert not any(hidden & set(clause.lemmas) for clause in told)


def _own_lemmas(domain: str) -> set[str]:
    from backsight_pocket.world import content_words

    return {lemmas()[word] for word in content_words(domain)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "puvum.",
        "The sailor moored a ferry.",
        "puvum vagoma ziditti",  # no full stop
        "puvum  vagoma ziditti.",
        "Puvum vagoma ziditti.",
        "puvum vagoma ziditdi.",  # d stayed d after t
        "puvum vagome ziditti.",  # a front ending after a back vowel
        "puvumlu vagoma ziditti.",  # the verb is not plural
        "puvum kusosza vagoma ziditti.",  # the quality is lifeless
        "puvum vagoluma mabazama ziditti.",  # the quality is not plural
        "vagoma puvum ziditti.",  # the object first
        "ziditti puvum vagoma.",
        "puvum ziditti.",  # moored what?
        "puvum konaldu.",  # walked where?
        "puvum vagoma jereme husasa.",
        "puvum vagoma kusosra bulpodu.",
        "puvum vagoda zidittu.",
        "puvum vagoda vagoma ziditti.",  # in the ferry: not a place
        "kendi puvum vagoma ziditse.",  # moors yesterday
        "en Anna vagoma ziditti.",
        "🙂",
        "puvum " * 5000,
    ],
)
def test_what_is_no_sentence_says_nothing(text: str) -> None:
    assert tarin.clause_of(text) is None


def test_words_come_apart_into_morphemes() -> None:
    assert tarin.morphemes("vagoluma") == ["vago", "lu", "ma"]
    assert tarin.morphemes("ziditbedili") == ["zidit", "be", "di", "li"]
    assert tarin.morphemes("harbour") == ["harbour"]


def test_short_forms_leave_the_details_out() -> None:
    assert [english.short_form(clause) for clause, _, _ in BY_HAND[:5]] == [
        "sailor moored ferry",
        "sailors did not moor ferries",
        "we will not walk to harbour",
        "ferry is leaky",
        "sailors were old",
    ]
