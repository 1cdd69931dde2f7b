"""Translation, scored by chrF. This is the only file that imports sacrebleu."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from backsight.tasks.base import Item
from backsight.tasks.rows import FileTask, Row
from backsight.types import Feedback, Observation

if TYPE_CHECKING:
    from sacrebleu.metrics.chrf import CHRF

SUCCESS_CHRF = 0.999
"""A translation this near to a reference has only white space to differ in."""


class TranslationTask(FileTask):
    """Rows with the columns `source` and `target`, or `source` and `references` (a list of translations).

    Rows with the same source make one item, whose references are all their translations; the first one is the
    gold answer. The reward is the sentence's chrF against the best reference, from 0 to 1 (Popović 2015,
    "chrF: character n-gram F-score for automatic MT evaluation", as sacrebleu computes it).

    Relabelling: a wrong translation that is, word for word, the translation of another training source was a
    good answer to that source.
    """

    name = "translation"
    metrics = ("chrf", "exact")

    def items_from(self, rows: Sequence[Row]) -> list[Item]:
        first_rows: dict[str, Row] = {}
        references: dict[str, list[str]] = {}
        for row in rows:
            source = row.text("source").strip()
            first_rows.setdefault(source, row)
            references.setdefault(source, []).extend(_references(row))
        return [
            Item(
                id=str(row.number),
                prompt=_prompt(source),
                target=f" {references[source][0]}",
                columns={**row.columns, "references": references[source]},
            )
            for source, row in first_rows.items()
        ]

    def judge(self, item: Item, completion: str) -> Feedback:
        references = item.columns["references"]
        chrf = self._chrf.sentence_score(completion.strip(), references).score / 100
        rewards = {"chrf": chrf, "exact": float(completion.strip() in references)}
        return Feedback(rewards=rewards, reward=chrf, success=chrf >= SUCCESS_CHRF, sources=(self.name,))

    def relabelled(self, item: Item, completion: str, seed: int) -> Observation | None:
        prompts = [prompt for prompt in self._answered.get(_words(completion), ()) if prompt != item.prompt]
        return prompts[seed % len(prompts)] if prompts else None

    @cached_property
    def _chrf(self) -> CHRF:
        # Imported when the first translation is judged, because it takes 0.2 seconds.
        from sacrebleu.metrics.chrf import CHRF

        return CHRF()

    @cached_property
    def _answered(self) -> dict[str, list[Observation]]:
        """The prompts of the train split that each of its translations answers."""
        prompts: dict[str, list[Observation]] = {}
        for item in self.items("train"):
            for words in {_words(reference): None for reference in item.columns["references"]}:
                prompts.setdefault(words, []).append(item.prompt)
        return prompts


def _prompt(source: str) -> str:
    return f"{source}\n=>"


def _references(row: Row) -> list[str]:
    if "references" not in row.columns:
        return [row.text("target").strip()]
    references = row.columns["references"]
    is_list_of_text = isinstance(references, list) and all(isinstance(text, str) for text in references)
    if not is_list_of_text or not references or not all(text.strip() for text in references):
        raise row.unusable("references", "write a list of one or more translations")
    return [text.strip() for text in references]


def _words(text: str) -> str:
    """The text as far as case, punctuation and white space do not count."""
    is_letter = [not unicodedata.category(character).startswith("P") for character in text.casefold()]
    return " ".join("".join(itertools.compress(text.casefold(), is_letter)).split())
