"""`chain_of_hindsight`: a good attempt is imitated behind a worse one that is called so.

Place: the prompt. Revealed: which sibling did worse, said in words, with its text. Source: Chain of Hindsight (Liu
2023, arXiv:2302.02676).

    L = (1/N) Σ_t -[ weight · log π(y⁺_t | x "worse:" y⁻ "better:", y⁺_<t) + plain_weight · log π(y⁺_t | x, y⁺_<t) ]

y⁺ are the attempts with the highest reward of their group, each behind one y⁻ with a lower one, in turn from the worst
up; N imitated decisions of both kinds. The words and y⁻ are prompt, so nothing of them is learnt. CoH is asked with
"x better:"; here the prompt is asked as it is, and the second row makes the plain prompt stand for that.

CoH also keeps the model from copying y⁻ by hiding a random part of what was read (a forgetful mask), which a policy
here has no way to do. All there is against it is that y⁻ and y⁺ are never the same text. Its regulariser, the
likelihood of pretraining text, is left out as well.

When not to use it: in groups whose attempts all fail or all succeed it has nothing to say; add a method that has. With
long answers the prompt grows by one of them. Episodes of several steps have no single text, and are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

from backsight.errors import DataError
from backsight.hindsight.base import Hindsight, Scorer, imitated_example
from backsight.hindsight.wording import behind
from backsight.types import Example, Group, Trajectory


class ChainOfHindsight(Hindsight):
    """Imitation of the best siblings, behind the worse ones and alone."""

    def __init__(
        self,
        outcome_weight: float = 0.0,
        imitation_weight: float = 1.0,
        plain_weight: float = 1.0,
        worse: str = " An unhelpful answer: ",
        better: str = " A helpful answer:",
    ) -> None:
        self.outcome_weight, self.imitation_weight, self.plain_weight = outcome_weight, imitation_weight, plain_weight
        self.worse, self.better = worse, better

    def examples(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        """Raises `DataError` when an episode is no single completion."""
        return [example for group in groups for pair in pairs(group) for example in self._rows(*pair)]

    def _rows(self, good: Trajectory, bad: Trajectory) -> list[Example]:
        (prompt,) = good.prompts
        chained = behind(f"{self.worse}{text_of(bad)}{self.better}", prompt)
        rows = [(chained, self.imitation_weight), (prompt, self.plain_weight)]
        return [
            imitated_example((each,), good.responses, "chain_of_hindsight", weight, good)
            for each, weight in rows
            if weight > 0
        ]


def pairs(group: Group) -> list[tuple[Trajectory, Trajectory]]:
    """Each of the best attempts with a worse one whose text is another."""
    ranked = sorted(group.trajectories, key=_reward)
    worse = [each for each in ranked if _reward(each) < _reward(ranked[-1])]
    if not worse:
        return []
    best = [each for each in ranked if _reward(each) == _reward(ranked[-1])]
    chosen = zip(best, cycle(worse), strict=False)
    return [(good, bad) for good, bad in chosen if text_of(good) != text_of(bad)]


def text_of(trajectory: Trajectory) -> str:
    text = trajectory.steps[0].action.text
    if len(trajectory.steps) > 1 or text is None:
        raise DataError(
            "hindsight", f"chain_of_hindsight on {len(trajectory.steps)} steps", "needs a single answer in words"
        )
    return text.strip()


def _reward(trajectory: Trajectory) -> float:
    return sum(trajectory.rewards)
