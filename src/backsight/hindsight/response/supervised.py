"""`supervised`: the gold answers are imitated, and nothing is sampled.

Place: the response.
Revealed: the gold answer y* (`item.target`).
Source: supervised fine-tuning. It is the warm-up before reinforcement learning, and the baseline that hindsight has to
beat.
Loss:

    L = (1/N) Σ_t -log π(y*_t | x, y*_<t)        N tokens of the gold answers of a batch

x is the prompt, and y*_t token t of its gold answer.

When not to use it: without gold answers, or where there are many right ones and the one written down is not among those
that the model would give.
"""

from __future__ import annotations

from collections.abc import Sequence

from backsight.errors import DataError
from backsight.hindsight.base import Hindsight, LookBack, Scorer, imitation_row
from backsight.hindsight.response.options import SupervisedOptions
from backsight.tasks.base import Item
from backsight.types import Example, Group


class Supervised(Hindsight[SupervisedOptions]):
    """Supervised fine-tuning as a method like any other."""

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        """Return the groups, and one row for each gold answer.

        Raises:
            DataError: when an item has no gold answer, or one that is too long to stand behind its prompt.
        """
        return LookBack(groups, [_row(group.start, scorer) for group in groups])


def _row(item: Item, scorer: Scorer) -> Example:
    if item.target is None:
        raise DataError(f"{item.id}.target", None, "supervised fine-tuning needs a gold answer in every row")
    response = scorer.encode(item.target)
    if not scorer.fits([item.prompt], response):
        remedy = "prompt and gold answer are longer than the model's context; shorten them, or remove the row"
        raise DataError(f"{item.id}.target", item.target, remedy)
    return imitation_row((item.prompt,), (response,), "supervised")
