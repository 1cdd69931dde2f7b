"""The task `pocket_sentiment`: label a review as good, bad or mixed, where negations turn opinions around."""

from __future__ import annotations

import random
from collections.abc import Sequence

from backsight.tasks.base import Item, LazyItems, PromptTask, find_split, generate_items
from backsight.tasks.sentiment import SentimentTask
from backsight_pocket import world
from backsight_pocket.splits import TRAIN_ITEMS
from backsight_pocket.world.reviews import LABELS, Review, draw, with_label


def prompt_of(review: Review) -> str:
    """Write the prompt, like "review: The soup was not stale and the waiter was friendly. sentiment:"."""
    return f"review: {review} sentiment:"


class PocketSentimentTask(SentimentTask):
    """Reviews of the world's domains, whose label follows a rule (`world/reviews.py`); judged as in `SentimentTask`.

    Splits: ``train`` and ``in_domain`` share domains and lengths (hardly ever items); ``domains`` has domains that were
    never trained, with opinion words of their own, and ``longer`` four opinions.

    Relabelling: because the world is generated, there is a text that a wrong answer is right for and that is as near as
    possible to the one that was read: the review with the fewest opinions turned around.
    """

    name = "pocket_sentiment"
    eval_splits = ("in_domain", "domains", "longer")
    labels = LABELS

    in_form = PromptTask.in_form  # it speaks to the pocket model, which knows no chat

    # The rows of `SentimentTask` come from files, and these come from the world: its `__init__` has nothing to read.
    def __init__(self, eval_items: int = 500) -> None:
        self._splits = {
            "train": _split("train", TRAIN_ITEMS, (2, 3), world.DOMAINS),
            "in_domain": _split("in_domain", eval_items, (2, 3), world.DOMAINS),
            "domains": _split("domains", eval_items, (2, 3), world.HELD_OUT_DOMAINS),
            "longer": _split("longer", eval_items, (4,), world.DOMAINS),
        }

    def items(self, split: str) -> Sequence[Item]:
        return find_split(self._splits, split)

    def relabel_prompt(self, item: Item, completion: str, seed: int) -> str | None:
        label = completion.strip().casefold()
        if label not in self.labels:
            return None
        return prompt_of(with_label(item.columns["review"], label, random.Random(seed)))


def _split(name: str, length: int, num_opinions: Sequence[int], domains: Sequence[str]) -> LazyItems:
    def make(rng: random.Random, identifier: str) -> Item:
        label = rng.choice(LABELS)
        review = draw(rng, rng.choice(domains), label, num_opinions)
        return Item(identifier, prompt_of(review), f" {label}", {"review": review, "label": label})

    return generate_items(f"sentiment {name}", length, make)
