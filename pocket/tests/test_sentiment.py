"""The task: the rule of labels by hand, negation and contrast, and the least change that makes an answer right."""

import random
from itertools import combinations

import pytest

from backsight.tasks.base import Item
from backsight_pocket.sentiment import PocketSentimentTask, prompt_of
from backsight_pocket.splits import is_held_out
from backsight_pocket.world.clauses import qualities
from backsight_pocket.world.reviews import BLAME, LABELS, PRAISE, Opinion, Review, Verdict, draw, judged, with_label

SPLITS = ("train", "in_domain", "domains", "longer")
STALE, NOT_STALE = Opinion("cake", "stale"), Opinion("cake", "stale", negated=True)
FRIENDLY = Opinion("waiter", "friendly", degree="very")
NOT_TASTY = Opinion("pie", "tasty", negated=True, degree="very")


@pytest.fixture(scope="module")
def task() -> PocketSentimentTask:
    return PocketSentimentTask(eval_items=200)


@pytest.mark.parametrize(
    ("review", "label", "text"),
    [
        (Review("kitchen", (NOT_STALE, FRIENDLY)), "good", "The cake was not stale and the waiter was very friendly."),
        (Review("kitchen", (STALE, FRIENDLY)), "mixed", "The cake was stale but the waiter was very friendly."),
        (
            Review("kitchen", (STALE, FRIENDLY), Verdict("like"), concedes=True),
            "good",
            "Although the cake was stale, the waiter was very friendly, and overall I liked it.",
        ),
        (
            Review("kitchen", (FRIENDLY, NOT_TASTY, STALE), Verdict("enjoy", negated=True)),
            "bad",
            "The waiter was very friendly but the pie was not very tasty and the cake was stale, and overall I did not"
            " enjoy it.",
        ),
        (
            Review("kitchen", (NOT_TASTY, STALE), Verdict("hate", negated=True)),
            "mixed",
            "The pie was not very tasty and the cake was stale, but overall I did not hate it.",
        ),
        (
            Review("kitchen", (NOT_TASTY, STALE), concedes=True),
            "bad",
            "The pie was not very tasty and the cake was stale.",
        ),
    ],
)
def test_labels_by_hand(review: Review, label: str, text: str) -> None:
    assert (review.label, str(review)) == (label, text)


def test_opinion_words_are_qualities_and_on_one_side() -> None:
    assert set(qualities()) >= PRAISE | BLAME and not PRAISE & BLAME


@pytest.mark.parametrize("split", SPLITS)
def test_gold_answers_get_full_marks(task: PocketSentimentTask, split: str) -> None:
    assert task.validate(split, 200) == 200
    labels = [item.columns["label"] for item in task.items(split)[:200]]
    assert all(40 < labels.count(label) < 100 for label in LABELS)


def test_items_are_terse_and_the_same_each_time(task: PocketSentimentTask) -> None:
    again = PocketSentimentTask(eval_items=200)
    for split in SPLITS:
        assert task.items(split)[:50] == again.items(split)[:50]
        assert all(len(item.prompt.split()) < 45 for item in task.items(split)[:200])


def test_held_out_domains_are_in_their_split_alone(task: PocketSentimentTask) -> None:
    for split in ("train", "in_domain", "longer"):
        assert not any(is_held_out(item.prompt) for item in task.items(split)[:200])
    assert sum(is_held_out(item.prompt) for item in task.items("domains")) > 180


def test_no_single_word_decides(task: PocketSentimentTask) -> None:
    """Praise, blame, "but" and "not" all stand in reviews of every label."""
    items = task.items("train")[:2_000]
    for word in (" friendly", " useful", " strange", " but ", " not "):
        labels = [item.columns["label"] for item in items if word in item.prompt]
        assert all(labels.count(label) >= 0.05 * len(labels) for label in LABELS), word


def test_relabelling_changes_as_little_as_it_can(task: PocketSentimentTask) -> None:
    rng = random.Random(1)
    for number, item in enumerate(task.items("train")[:300]):
        review: Review = item.columns["review"]
        label = rng.choice(LABELS)
        changed = with_label(review, label, random.Random(number))
        assert changed.label == label
        assert task.relabel_prompt(item, f" {label.upper()} ", number) == prompt_of(changed)
        relabelled = Item("again", prompt_of(changed), changed.label)
        assert task.judge(relabelled, f" {label}").success
        assert [opinion.noun for opinion in changed.opinions] == [opinion.noun for opinion in review.opinions]
        assert _num_turned(review, changed) == _fewest(review, label)


def _signs(review: Review) -> list[bool]:
    verdict = [] if review.verdict is None else [review.verdict.is_good]
    return [opinion.is_good for opinion in review.opinions] + verdict


def _num_turned(review: Review, other: Review) -> int:
    return sum(one is not two for one, two in zip(_signs(review), _signs(other), strict=True))


def _fewest(review: Review, label: str) -> int:
    """Worked out on signs alone: the rule of labels, once more."""
    weights = [1] * len(review.opinions) + [2] * (review.verdict is not None)
    signs = _signs(review)
    for count in range(len(signs) + 1):
        for which in combinations(range(len(signs)), count):
            score = sum(
                weight * (1 if sign is not (place in which) else -1)
                for place, (weight, sign) in enumerate(zip(weights, signs, strict=True))
            )
            if label == ("good" if score >= 2 else "bad" if score <= -2 else "mixed"):
                return count
    raise AssertionError(review)


def test_what_is_no_label_is_worth_nothing(task: PocketSentimentTask) -> None:
    item = task.items("train")[0]
    for completion in ("", "🙂", " great", " good good", "good " * 5000):
        assert task.relabel_prompt(item, completion, 0) is None
        assert task.judge(item, completion).rewards == {"correct": 0.0, "valid": 0.0}


def test_every_domain_has_words_of_its_own_for_both() -> None:
    rng = random.Random(0)
    for domain in ("mountain", "library", "kitchen"):
        assert len(judged(domain)) > 40
        for label in LABELS:
            assert draw(rng, domain, label).label == label
