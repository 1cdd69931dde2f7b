"""`supervised`: the gold answers are revealed, and imitated. Nothing is sampled.

Place: the response. It is the warm-up before reinforcement learning and the baseline that hindsight has to beat.
"""

from __future__ import annotations

import torch

from backsight.errors import DataError
from backsight.hindsight.base import Scorer
from backsight.tasks.base import Item
from backsight.types import Example, Group


class Supervised:
    """Supervised fine-tuning, as a method like any other."""

    needs_rollouts = False

    def __call__(self, group: Group, scorer: Scorer) -> list[Example]:
        item: Item = group.start
        if item.target is None:
            raise DataError(f"{item.id}.target", None, "supervised fine-tuning needs a gold answer in every row")
        response = scorer.encode(item.target)
        return [
            Example(
                prompts=(item.prompt,),
                responses=(response,),
                method="supervised",
                imitation_weights=torch.ones(len(response)),
            )
        ]
