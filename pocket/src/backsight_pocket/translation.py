"""The task `pocket_translation`: translate to Tarin, an invented language whose words have endings that agree."""

from __future__ import annotations

import random
from collections.abc import Sequence

from backsight.tasks.base import Item, LazyItems, PromptTask, find_split, generate_items
from backsight.tasks.translation import TranslationTask
from backsight_pocket import world
from backsight_pocket.splits import TRAIN_ITEMS, is_held_out
from backsight_pocket.world import english, tarin
from backsight_pocket.world.clauses import draw

EXTRAS, MORE_EXTRAS = (1, 2, 3), (4,)
"""Numbers of qualities, places, times and negations that are added to a bare clause."""


def prompt_of(source: str) -> str:
    """Write the prompt, like "in Tarin: The sailor moored a boat. =>"."""
    return f"in Tarin: {source} =>"


class PocketTranslationTask(TranslationTask):
    """Sentences of one clause, written in both languages by `english` and `tarin`; judged as in `TranslationTask`.

    Splits: ``train`` and ``in_domain`` share domains and lengths (hardly ever items); ``domains`` has domains that were
    never trained, ``longer`` more extras than were trained.

    Relabelling is exact: a translation that is well formed but wrong says something else, and what it says becomes
    the source. A completion that is no sentence of Tarin says nothing, and nothing is learnt from it.
    """

    name = "pocket_translation"
    eval_splits = ("in_domain", "domains", "longer")

    in_form = PromptTask.in_form  # it speaks to the pocket model, which knows no chat

    # The rows of `TranslationTask` come from files, and these come from the world: its `__init__` has nothing to read.
    def __init__(self, eval_items: int = 500) -> None:
        self._splits = {
            "train": _split("train", TRAIN_ITEMS, EXTRAS, world.DOMAINS),
            "in_domain": _split("in_domain", eval_items, EXTRAS, world.DOMAINS),
            "domains": _split("domains", eval_items, EXTRAS, world.HELD_OUT_DOMAINS),
            "longer": _split("longer", eval_items, MORE_EXTRAS, world.DOMAINS),
        }

    def items(self, split: str) -> Sequence[Item]:
        return find_split(self._splits, split)

    def relabel_prompt(self, item: Item, completion: str, seed: int) -> str | None:
        clause = tarin.clause_of(completion)
        source = None if clause is None else english.sentence(clause)
        return None if source is None or is_held_out(source) else prompt_of(source)


def _split(name: str, length: int, extras: Sequence[int], domains: Sequence[str]) -> LazyItems:
    def make(rng: random.Random, identifier: str) -> Item:
        clause = draw(rng, rng.choice(domains), rng.choice(extras))
        target = tarin.sentence(clause)
        return Item(identifier, prompt_of(english.sentence(clause)), f" {target}", {"references": [target]})

    return generate_items(f"translation {name}", length, make)
