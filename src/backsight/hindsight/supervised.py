"""`supervised`: the gold answers are revealed, and imitated. Nothing is sampled.

Place: the response. Revealed: the gold answer y* (`item.target`). It is the warm-up before reinforcement learning, and
the baseline that hindsight has to beat.

    L = (1/N) Σ_t -log π(y*_t | x, y*_<t)        N tokens of the gold answers of a batch

When not to use it: without gold answers, or where there are many right ones and the one written down is not among those
that the model would give.
"""

from __future__ import annotations

from collections.abc import Sequence

from backsight.errors import DataError
from backsight.hindsight.base import Hindsight, Scorer, imitated_example
from backsight.tasks.base import Item
from backsight.types import Example, Group


class Supervised(Hindsight):
    """Supervised fine-tuning, as a method like any other."""

    needs_rollouts = False
    outcome_weight = 0.0

    def examples(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        """Raises `DataError` when a row has no gold answer, or one that is too long to stand behind its prompt."""
        return [_imitated(group.start, scorer) for group in groups]


def _imitated(item: Item, scorer: Scorer) -> Example:
    if item.target is None:
        raise DataError(f"{item.id}.target", None, "supervised fine-tuning needs a gold answer in every row")
    response = scorer.encode(item.target)
    if not scorer.fits([item.prompt], response):
        remedy = "prompt and gold answer are longer than the model's context; shorten them, or remove the row"
        raise DataError(f"{item.id}.target", item.target, remedy)
    return imitated_example((item.prompt,), (response,), "supervised")
