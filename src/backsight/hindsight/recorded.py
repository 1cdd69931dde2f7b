"""`recorded`: logs are learnt from: turns that were rewarded, corrected or commented on afterwards. Nothing is sampled.

Place: the response for corrections, the target distribution for comments; rewards are plain reinforcement, off-policy.
An item holds what came before the turn (`prompt`), the turn (`target`), and in its columns what was said of it later:
`reward` (with `reward_mean`, the mean of the data set), `correction`, `feedback` in words. Each makes its own part:

    reward        A = reward - reward_mean              -A·log π at every token of the turn, or -A·π/(π + γ) for A < 0
    correction    -(1/N) Σ_t log π(correction_t|x)
    feedback      D(π_T(·|x + feedback, y_<t) ‖ π(·|x, y_<t)) at every token of the turn, with `distill_weight` > 0

Sources: REINFORCE with the mean as its baseline and no ratio (Williams 1992); the gate p/(p + 0.1) of Critique-GRPO
(arXiv:2506.03106); the teacher who has read the feedback, of SDPO (arXiv:2601.20802).

Whoever answered in the logs was another policy, whose probabilities nobody kept: every row is off-policy and says so
(`behaviour_log_probs` is None). Nothing bounds how unlikely A·log π makes a bad turn, so the gate holds for bad turns;
None turns it off. With the gate on good turns as well, what they share with bad ones could not be lifted again: sixty
steps on real conversations took rewarded turns from -2.1 to -9.2 nats a token.

When not to use it: where episodes can be sampled and judged anew; or where rewards follow who asked more than what was
answered, since the baseline is one number for all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from backsight.errors import ConfigError, DataError
from backsight.hindsight.base import Hindsight, Scorer, imitated_example
from backsight.hindsight.hints import TEMPLATE, Hints
from backsight.tasks.base import Item
from backsight.types import ActionValue, Example, Group


class Recorded(Hindsight):
    """Learn from what others did, and what was said of it."""

    needs_rollouts = False
    outcome_weight = 0.0

    def __init__(
        self,
        reward_weight: float = 1.0,
        correction_weight: float = 1.0,
        distill_weight: float = 0.0,
        shaping: float | None = 0.1,
        template: str = TEMPLATE,
        introduce: bool = True,
    ) -> None:
        """Raises `ConfigError` when all weights are 0, or the template lacks prompt or hint."""
        if reward_weight == correction_weight == distill_weight == 0:
            raise ConfigError(
                "hindsight", "all weights are 0", "raise reward_weight, correction_weight or distill_weight"
            )
        self.reward_weight, self.correction_weight = reward_weight, correction_weight
        self.distill_weight, self.needs_teacher = distill_weight, distill_weight > 0
        self.shaping, self.hints = shaping, Hints(template, introduce)

    def examples(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        """Raises `DataError` when a column of a row is not what it should be."""
        return [example for group in groups for example in self._rows(group.start, scorer)]

    def _rows(self, item: Item, scorer: Scorer) -> list[Example]:
        rows = []
        reward, feedback = _number(item, "reward"), _text(item, "feedback")
        is_rewarded = self.reward_weight > 0 and reward is not None
        is_told = self.distill_weight > 0 and feedback is not None
        if is_rewarded or is_told:
            if not item.target:
                raise DataError(f"{item.id}.target", item.target, "a turn that was judged needs its text")
            advantage = (reward or 0.0) - (_number(item, "reward_mean") or 0.0) if is_rewarded else None
            rows.append(self._judged(item, scorer.encode(item.target), advantage, feedback if is_told else None))
        correction = _text(item, "correction")
        if self.correction_weight > 0 and correction is not None:
            response = scorer.encode(correction)
            rows.append(imitated_example((item.prompt,), (response,), "recorded", self.correction_weight))
        return rows

    def _judged(self, item: Item, turn: ActionValue, advantage: float | None, feedback: str | None) -> Example:
        """One row for reward and comment: they concern the same tokens, which then are computed once."""
        advantages_T = None if advantage is None else torch.full((len(turn),), advantage * self.reward_weight)
        teacher_prompts = None if feedback is None else (self.hints.with_text(item.prompt, self._hint(feedback)),)
        return Example(
            prompts=(item.prompt,),
            responses=(turn,),
            method="recorded",
            advantages=advantages_T,
            teacher_prompts=teacher_prompts,
            teacher_weights=None if feedback is None else torch.full((len(turn),), self.distill_weight),
            # faded where it pushes away only: faded praise cannot lift again what good and bad turns share
            shaping=self.shaping if advantage is not None and advantage < 0 else None,
        )

    def _hint(self, feedback: str) -> str:
        return f"What was said of an earlier answer: {feedback}" if self.hints.introduce else feedback


def _number(item: Item, column: str) -> float | None:
    value = item.columns.get(column)
    if value is None:
        return None
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{item.id}.{column}", value, "a reward is a finite number; mend the row or leave it out")
    return float(value)


def _text(item: Item, column: str) -> str | None:
    value: Any = item.columns.get(column)
    if value is not None and not isinstance(value, str):
        raise DataError(f"{item.id}.{column}", value, "write it as text, or leave it out")
    return value if value and value.strip() else None
