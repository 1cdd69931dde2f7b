"""The task `translation`, scored by chrF and BLEU. This is the only file that imports sacrebleu."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Self

from backsight.tasks.base import Item
from backsight.tasks.cells import Row
from backsight.tasks.questions import QuestionTask
from backsight.tasks.scripts import MOSTLY, is_chinese, unspaced_share
from backsight.types import Feedback, Observation

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

SUCCESS_CHRF = 0.999
"""Least chrF of a success: such a translation differs from a reference in white space only."""


class TranslationTask(QuestionTask):
    """Texts to translate, from rows with the columns `source` and `target` or `references` (a list).

    Rows with the same source make one item, whose references are all their translations; the first one is the
    gold answer. The reward is the sentence's chrF against the best reference, from 0 to 1 (Popović 2015,
    "chrF: character n-gram F-score for automatic MT evaluation", as sacrebleu computes it). Beside it stands
    `bleu`, the sentence's BLEU against the best reference (Papineni 2002; with effective order, as a sentence may have
    fewer than four words), with sacrebleu's tokenizer for the references' script: `13a`, `zh` for Chinese, `char` for
    other scripts that put no spaces between words. The mean over sentences is not the BLEU of a corpus. chrF counts
    recall twice, so that a policy may raise it with translations that are longer and not better; BLEU then falls.

    The feedback on a wrong translation holds the gold answer (`Feedback.correction`), which a teacher can be shown.

    Rows do not say into which language. In a chat two solved examples show it; an `instruction` such as
    ``Translate into German: {source}`` says it, with `shots` 0.

    Relabelling: a wrong translation that is, word for word, the translation of another training source was a
    good answer to that source.
    """

    name = "translation"
    metrics = ("chrf", "bleu", "exact")
    cue = "\n=>"
    column = "source"
    instruction = "Translate this text. Answer with the translation alone.\n\n{source}"

    @property
    def chat_shots(self) -> int:
        return 2

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
                prompt=source + self.cue,
                target=f" {references[source][0]}",
                columns={**row.columns, "references": references[source]},
            )
            for source, row in first_rows.items()
        ]

    def judge(self, item: Item, completion: str) -> Feedback:
        references = item.columns["references"]
        translation = completion.strip()
        chrf = self._chrf.sentence_score(translation, references).score / 100
        bleu = _bleu(_tokenizer(" ".join(references)))
        best = max(bleu.sentence_score(translation, [each]).score for each in references) / 100
        # sacrebleu rounds full marks to a little more than 100
        rewards = {"chrf": chrf, "bleu": min(best, 1.0), "exact": float(translation in references)}
        success = chrf >= SUCCESS_CHRF
        correction = None if success else item.target
        return Feedback(rewards=rewards, reward=chrf, success=success, correction=correction, sources=(self.name,))

    def relabel_prompt(self, item: Item, completion: str, seed: int) -> Observation | None:
        prompts = [prompt for prompt in self._answers.get(_words(completion), ()) if prompt != item.prompt]
        return prompts[seed % len(prompts)] if prompts else None

    def with_items(self, items: Mapping[str, Sequence[Item]]) -> Self:
        twin = super().with_items(items)
        vars(twin).pop("_answers", None)  # it has the prompts of the former items
        return twin

    @cached_property
    def _chrf(self) -> CHRF:
        # Imported when the first translation is judged, because it takes 0.2 seconds.
        from sacrebleu.metrics.chrf import CHRF

        return CHRF()

    @cached_property
    def _answers(self) -> dict[str, list[Observation]]:
        """Prompts of the train split by the words of the translations that answer them."""
        prompts: dict[str, list[Observation]] = {}
        for item in self.items("train"):
            for words in {_words(reference): None for reference in item.columns["references"]}:
                prompts.setdefault(words, []).append(item.prompt)
        return prompts


@cache
def _bleu(tokenizer: str) -> BLEU:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(tokenize=tokenizer, effective_order=True)


def _tokenizer(text: str) -> str:
    """Return the name of sacrebleu's tokenizer for the language of a text.

    Where words are not spaced, words would be whole sentences. What a Japanese word is depends on the dictionary that
    is installed, so that single characters are compared there.
    """
    if unspaced_share(text) < MOSTLY:
        return "13a"
    return "zh" if is_chinese(text) else "char"


def _references(row: Row) -> list[str]:
    if "references" not in row.columns:
        return [row.text("target").strip()]
    return row.texts("references")


def _words(text: str) -> str:
    """Return the words of a text, without case, punctuation and extra white space."""
    is_letter = [not unicodedata.category(character).startswith("P") for character in text.casefold()]
    return " ".join("".join(itertools.compress(text.casefold(), is_letter)).split())
