"""`chain_of_hindsight`: a good attempt is imitated behind a worse one, and the prompt says which is which.

Place: the prompt.
Revealed: which sibling did worse, said in words, with its text.
Source: Chain of Hindsight (Liu 2023, arXiv:2302.02676).
Loss:

    L = (1/N) Σ_t -[ weight · log π(y⁺_t | x "worse:" y⁻ "better:", y⁺_<t) + plain_weight · log π(y⁺_t | x, y⁺_<t) ]

x is the prompt, and `weight` the option `imitation_weight`. y⁺ are the attempts with the highest reward of their group,
each behind one y⁻ with a lower reward, in turn from the worst up; N imitated decisions of both kinds. The words and y⁻
are prompt, so nothing of them is learnt. CoH is asked with "x better:"; here the prompt is asked as it is, and the
second term makes the plain prompt stand for that.

CoH also keeps the model from copying y⁻ by hiding a random part of what was read (a forgetful mask), which a policy
here has no way to do. The only guard here is that y⁻ and y⁺ are never the same text. Its regulariser, the likelihood of
pretraining text, is left out as well.

When not to use it: where all attempts of a group fail or all succeed, it has nothing to say; add a method that has.
With long answers the prompt grows by one of them. Episodes of several steps have no single text, and are refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle

from backsight.errors import DataError
from backsight.hindsight.base import Hindsight, LookBack, Scorer, imitation_row
from backsight.hindsight.hints import append_words
from backsight.hindsight.prompt.options import ChainOfHindsightOptions
from backsight.rounding import difference
from backsight.types import Example, Group, Trajectory


class ChainOfHindsight(Hindsight[ChainOfHindsightOptions]):
    """Method that imitates the best siblings, each behind a worse one and alone."""

    needs_scores = True

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        """Return the groups, and up to two rows for each pair of a good attempt and a worse one.

        Raises:
            DataError: when an episode is not a single completion.
        """
        return LookBack(groups, [row for group in groups for pair in pair_up(group) for row in self._rows(*pair)])

    def _rows(self, good: Trajectory, bad: Trajectory) -> list[Example]:
        (prompt,) = good.prompts
        options = self.options
        chained = append_words(f"{options.worse}{text_of(bad)}{options.better}", prompt)
        rows = [(chained, options.imitation_weight), (prompt, options.plain_weight)]
        return [
            imitation_row((each,), good.responses, "chain_of_hindsight", weight, good)
            for each, weight in rows
            if weight > 0
        ]


def pair_up(group: Group) -> list[tuple[Trajectory, Trajectory]]:
    """Pair each of the best attempts that ended by themselves with a worse one; pairs of the same text are left out."""
    highest = max((each.total_reward for each in group.trajectories if not each.was_cut_off), default=-math.inf)
    ranked = sorted(group.trajectories, key=lambda each: each.total_reward)
    worse = [each for each in ranked if difference(highest, each.total_reward) > 0]
    if not worse:
        return []
    best = [each for each in ranked if difference(highest, each.total_reward) == 0 and not each.was_cut_off]
    chosen = zip(best, cycle(worse), strict=False)
    return [(good, bad) for good, bad in chosen if text_of(good) != text_of(bad)]


def text_of(trajectory: Trajectory) -> str:
    """Return the answer of an attempt as text.

    Raises:
        DataError: when the attempt is not a single answer in words.
    """
    text = trajectory.steps[0].action.text
    if len(trajectory.steps) > 1 or text is None:
        raise DataError(
            "hindsight", f"chain_of_hindsight on {len(trajectory.steps)} steps", "needs a single answer in words"
        )
    return text.strip()
