"""The task `pocket_summary`: say in a few words what mattered in a report of several sentences."""

from __future__ import annotations

import random
from collections.abc import Sequence

from backsight.tasks.base import Item, LazyItems, PromptTask, find_split, generate_items
from backsight.types import Feedback
from backsight_pocket import world
from backsight_pocket.splits import TRAIN_ITEMS
from backsight_pocket.world.reports import Report, draw_report, find_covered, told_plainly, with_main

WORDS_PER_FACT = 6
"""Most words of a summary for each main fact; the longest short form has as many."""
SENTENCES, MORE_SENTENCES = (3, 4, 5, 6), (7, 8)
MAIN_FACTS = (1, 2)
MAX_CHARACTERS = 1000
"""Most characters of a completion that are read; a summary of this length is far too long anyway."""


def prompt_of(report: Report) -> str:
    """Write the prompt, like "report: … summary in 12 words:"."""
    return f"report: {report} summary in {longest(report)} words:"


def longest(report: Report) -> int:
    """Return the most words that a summary may have."""
    return WORDS_PER_FACT * len(report.main)


class PocketSummaryTask(PromptTask):
    """Reports of the world's domains; a summary is to tell the facts that the report says mattered, and to be short.

    The reward is `coverage`, the share of the main facts that are told (`world/reports.py` says when one is), as long
    as the summary keeps to its window of words (`length`), and 0 otherwise.

    Splits: ``train`` and ``in_domain`` share domains and lengths (hardly ever items); ``domains`` has domains that were
    never trained, ``longer`` seven and eight sentences.

    Relabelling: the same report is told so that the facts that the summary did tell are those that mattered, if the
    summary says nothing else.
    """

    name = "pocket_summary"
    eval_splits = ("in_domain", "domains", "longer")
    metrics = ("coverage", "length")

    def __init__(self, eval_items: int = 500) -> None:
        self._splits = {
            "train": _split("train", TRAIN_ITEMS, SENTENCES, world.DOMAINS),
            "in_domain": _split("in_domain", eval_items, SENTENCES, world.DOMAINS),
            "domains": _split("domains", eval_items, SENTENCES, world.HELD_OUT_DOMAINS),
            "longer": _split("longer", eval_items, MORE_SENTENCES, world.DOMAINS),
        }

    def items(self, split: str) -> Sequence[Item]:
        return find_split(self._splits, split)

    def judge(self, item: Item, completion: str) -> Feedback:
        report: Report = item.columns["report"]
        told = set(find_covered(report, completion[:MAX_CHARACTERS])) & set(report.main)
        coverage = len(told) / len(report.main)
        is_in_window = 1 <= len(world.words(completion)) <= longest(report)
        return Feedback(
            rewards={"coverage": coverage, "length": float(is_in_window)},
            reward=coverage if is_in_window else 0.0,
            success=is_in_window and coverage == 1.0,
            achieved_share=coverage,
            sources=(self.name,),
        )

    def relabel_prompt(self, item: Item, completion: str, seed: int) -> str | None:
        report = self.relabel_report(item, completion, seed)
        return None if report is None else prompt_of(report)

    def relabel_report(self, item: Item, completion: str, seed: int) -> Report | None:
        """Return the report for which the summary would have been right; None where there is none.

        A summary that says anything else is not learnt from, because its noise would be learnt with it (docs/log.md).
        """
        told = told_plainly(item.columns["report"], completion[:MAX_CHARACTERS])
        if len(told) not in MAIN_FACTS:
            return None
        return with_main(item.columns["report"], told, random.Random(seed))


def item_of(identifier: str, report: Report) -> Item:
    """Make the item of a report; its headline is the gold answer."""
    return Item(identifier, prompt_of(report), f" {report.headline}", {"report": report})


def _split(name: str, length: int, num_sentences: Sequence[int], domains: Sequence[str]) -> LazyItems:
    def make(rng: random.Random, identifier: str) -> Item:
        count = rng.choice(num_sentences)
        extras = (0, 1, 2) if count <= max(SENTENCES) else (0, 1)
        return item_of(identifier, draw_report(rng, rng.choice(domains), count, rng.choice(MAIN_FACTS), extras))

    return generate_items(f"summary {name}", length, make)
