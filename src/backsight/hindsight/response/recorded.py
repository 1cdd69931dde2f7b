"""`recorded`: turns in logs that were rewarded, corrected or commented on are learnt, and nothing is sampled.

Place: the response for corrections, the target distribution for comments; rewards are plain reinforcement, off-policy.
Revealed: what was said of a turn later. An item holds what came before the turn (`prompt`), the turn (`target`), and in
its columns the rest: `reward` (with `reward_mean`, the mean of the data set), `correction`, `feedback` in words.
Sources: REINFORCE with the mean as its baseline and no ratio (Williams 1992); the gate p/(p + 0.1) of Critique-GRPO
(arXiv:2506.03106); the teacher that has read the feedback, of SDPO (arXiv:2601.20802).
Loss, a part for each column:

    reward        A = reward - reward_mean              -A·log π at every token of the turn, or -A·π/(π + γ) for A < 0
    correction    -(1/N) Σ_t log π(correction_t|x)
    feedback      D(π_T(·|x + feedback, y_<t) ‖ π(·|x, y_<t)) at every token of the turn, with `distill_weight` > 0

x is the prompt, y the turn and t a token; A is the advantage of the turn, γ the option `shaping`, N the number of
tokens of the corrections, π_T the teacher and D the divergence from it.

The turns in the logs come from another policy, whose probabilities nobody kept: every row is off-policy and says so
(`behaviour_log_probs` is None). Nothing bounds how unlikely A·log π makes a bad turn, so the gate π/(π + γ) holds for
bad turns; `shaping=None` turns it off. With the gate on good turns as well, what they share with bad ones could not be
lifted again: sixty steps on real conversations took rewarded turns from -2.1 to -9.2 nats a token.

When not to use it: where episodes can be sampled and judged anew; or where rewards depend more on who asked than on
what was answered, since the baseline is one number for all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from backsight.errors import DataError
from backsight.hindsight.base import Hindsight, LookBack, Scorer, imitation_row
from backsight.hindsight.hints import Hints
from backsight.hindsight.response.options import RecordedOptions
from backsight.rounding import difference
from backsight.tasks.base import Item
from backsight.types import ActionValue, Example, Group, Observation


class Recorded(Hindsight[RecordedOptions]):
    """Method that learns from recorded turns, and from what was said of them."""

    def __init__(self, options: RecordedOptions) -> None:
        """Make the method.

        Raises:
            ConfigError: when the template has no place for prompt or hint.
        """
        super().__init__(options)
        self.hints = Hints(options.template, options.introduce)

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        """Return the groups, and the rows of their items.

        Raises:
            DataError: when a column of an item has the wrong type, a turn that was judged has no text, or a turn or a
                correction has no room behind its prompt.
        """
        return LookBack(groups, [row for group in groups for row in self._rows(group.start, scorer)])

    def _rows(self, item: Item, scorer: Scorer) -> list[Example]:
        rows, options = [], self.options
        reward, feedback = _number(item, "reward"), _text(item, "feedback")
        is_rewarded = options.reward_weight > 0 and reward is not None
        is_told = options.distill_weight > 0 and feedback is not None
        if is_rewarded or is_told:
            if not item.target:
                raise DataError(f"{item.id}.target", item.target, "a turn that was judged needs its text")
            advantage = difference(reward or 0.0, _number(item, "reward_mean") or 0.0) if is_rewarded else None
            turn = _encode(item, "target", item.target, scorer)
            told = self.hints.with_text(item.prompt, self._hint(feedback)) if is_told and feedback else None
            told = told if told is None or scorer.fits([told], turn) else None
            if advantage is not None or told is not None:
                rows.append(self._make_row(item, turn, advantage, told))
        correction = _text(item, "correction")
        if options.correction_weight > 0 and correction is not None:
            response = _encode(item, "correction", correction, scorer)
            rows.append(imitation_row((item.prompt,), (response,), "recorded", options.correction_weight))
        return rows

    def _make_row(self, item: Item, turn: ActionValue, advantage: float | None, told: Observation | None) -> Example:
        """Make one row for reward and comment: they concern the same tokens, which then are computed once.

        `told` is the prompt that holds the comment.
        """
        advantages_T = None if advantage is None else torch.full((len(turn),), advantage * self.options.reward_weight)
        return Example(
            prompts=(item.prompt,),
            responses=(turn,),
            method="recorded",
            advantages=advantages_T,
            teacher_prompts=None if told is None else (told,),
            teacher_weights=None if told is None else torch.full((len(turn),), self.options.distill_weight),
            # the gradient fades for bad turns only: that of good ones has to lift again what both share
            shaping=self.options.shaping if advantage is not None and advantage < 0 else None,
        )

    def _hint(self, feedback: str) -> str:
        return f"What was said of an earlier answer: {feedback}" if self.options.introduce else feedback


def _encode(item: Item, column: str, text: str, scorer: Scorer) -> ActionValue:
    response = scorer.encode(text)
    if not scorer.fits([item.prompt], response):
        remedy = "this and the prompt are longer than the model's context; shorten them, or remove the row"
        raise DataError(f"{item.id}.{column}", text, remedy)
    return response


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
