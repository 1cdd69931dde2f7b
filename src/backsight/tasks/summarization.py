"""The task `summarization`, scored by ROUGE. This is the only file that imports rouge-score."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from backsight.tasks.base import Item
from backsight.tasks.cells import Row
from backsight.tasks.questions import QuestionTask
from backsight.tasks.scripts import WORD
from backsight.tasks.tables import Source
from backsight.types import Feedback

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

SUCCESS_ROUGE = 0.999
"""Least reward of a success: such a summary has the words of a reference in their order."""
WINDOW_SHARE = 0.9
"""Share of the train split's references whose lengths lie in the window; as many are too short as too long."""


class SummarizationTask(QuestionTask):
    """Documents to summarise, from rows with the columns `document` and `summary` or `references` (a list).

    The first reference is the gold answer. The reward is ROUGE-L, the F1 of the longest common subsequence of words,
    against the best reference (Lin 2004, "ROUGE: a package for automatic evaluation of summaries", as rouge-score
    computes it, without stemming), times `length`: 1 within a window of lengths, and from its ends down to 0 at half
    and at twice as many words.

    The window spans the lengths of most references of the train split. For each item it is stretched to the item's own
    references, so that a gold answer of any split always scores full marks, and one unusual reference of the train
    split does not widen it for all.

    The feedback on a failed attempt holds the gold answer (`Feedback.correction`), which a teacher can be shown.
    Nothing is relabelled: a summary of another document is no hindsight. An instruction may name `shortest` and
    `longest`, the ends of the window.
    """

    name = "summarization"
    metrics = ("rouge_l", "rouge_1", "length")
    cue = "\nTL;DR:"
    column = "document"
    instruction = "Summarize this document in {shortest} to {longest} words.\n\n{document}"

    def __init__(self, data: Source, *, test: Source | None = None, ood: Source | None = None) -> None:
        super().__init__(data, test=test, ood=ood)
        references = [text for item in self.items("train") for text in item.columns["references"]]
        lengths = sorted(len(words(text)) for text in references)
        outside = int(len(lengths) * (1 - WINDOW_SHARE) / 2)
        self.window = lengths[outside], lengths[-1 - outside]
        """Numbers of words of the shortest and the longest summary whose reward is not reduced."""

    def items_from(self, rows: Sequence[Row]) -> list[Item]:
        return [
            Item(
                id=str(row.number),
                prompt=row.text("document").strip() + self.cue,
                target=f" {references[0]}",
                columns={**row.columns, "references": references},
            )
            for row in rows
            for references in (_references(row),)
        ]

    def words_for_templates(self) -> Mapping[str, str]:
        return {"shortest": str(self.window[0]), "longest": str(self.window[1])}

    def judge(self, item: Item, completion: str) -> Feedback:
        references = item.columns["references"]
        rouge = self._rouge.score_multi(references, completion)
        rewards = {
            "rouge_l": float(rouge["rougeL"].fmeasure),
            "rouge_1": float(rouge["rouge1"].fmeasure),
            "length": self._length_factor(references, len(words(completion))),
        }
        reward = rewards["rouge_l"] * rewards["length"]
        success = reward >= SUCCESS_ROUGE
        correction = None if success else item.target
        return Feedback(rewards=rewards, reward=reward, success=success, correction=correction, sources=(self.name,))

    def _length_factor(self, references: Sequence[str], count: int) -> float:
        lengths = [len(words(text)) for text in references]
        low, high = min(self.window[0], *lengths), max(self.window[1], *lengths)
        return max(0.0, min(1.0, 2 * count / low - 1, 2 - count / high))

    @cached_property
    def _rouge(self) -> RougeScorer:
        # Imported when the first summary is judged, because it takes two seconds: it brings nltk.
        from rouge_score.rouge_scorer import RougeScorer

        return RougeScorer(["rougeL", "rouge1"], tokenizer=_Tokenizer())


def words(text: str) -> list[str]:
    """Return the words of a text, in lower case.

    Words are runs of letters and digits, as rouge-score finds them in English. While rouge-score knows only the letters
    a to z, here the letters of every script count, with their marks; where words are not spaced, each letter is one.
    """
    found = WORD.findall("".join(map(_in_word, text.lower().replace("\ufe0f", ""))))
    return [word for word in found if any(map(str.isalnum, word))]


@lru_cache(maxsize=16_384)
def _in_word(character: str) -> str:
    """Return the character if it may stand in a word, else a space."""
    is_in_word = character.isalnum() or unicodedata.category(character) in ("Mn", "Mc")
    return character if is_in_word else " "


class _Tokenizer:
    """A tokenizer for rouge-score that splits texts with `words`."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


def _references(row: Row) -> list[str]:
    column = "references" if "references" in row.columns else "summary"
    references = row.texts(column) if column == "references" else [row.text(column).strip()]
    if not all(map(words, references)):
        raise row.unusable(column, "a summary without a word cannot be scored; write words, or remove the row")
    return references
