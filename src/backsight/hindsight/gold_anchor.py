"""`gold_anchor`: a group in which all failed is joined by the gold answer, so that it has something to compare with.

Place: the response. Revealed: the gold answer (`item.target`), else a correction (`Feedback.correction`).
Source: GCPO, "When Contrast Fails, Go Gold" (arXiv:2510.07790).

    all R_i failed:   A_1 … A_G, A_gold = estimator(R_1 … R_G, 1)        GRPO, RLOO, …, over G + 1
    rows              the attempts with A_i as ever, and  -A_gold·log π(gold_t|x), or with γ  -A_gold·π/(π + γ)

Both halves change: the attempts lose, the gold answer gains. GCPO puts it in the place of an attempt; here none goes.
It takes a ratio of whole sequences; nobody sampled the gold answer, so there is none to take here, and the row says so
(`behaviour_log_probs` is None). `shaping` bounds the row, but fades where the policy would never have gone, which is
where the gold answer is needed: off by default. Groups with a success or with episodes of several steps stay as they
are, and so do those whose gold answer has no room behind its prompt.

When not to use it: where rewards are graded and nobody says what a success is, so that no group fails; or with gold
answers for all prompts and few attempts that succeed: `supervised` is cheaper then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from backsight.hindsight.base import Hindsight, Scorer
from backsight.hindsight.composition import succeeded
from backsight.types import Action, Example, Feedback, Group, Step, Trajectory


class GoldAnchor(Hindsight):
    """A success for those who have none."""

    def __init__(self, gold_reward: float = 1.0, shaping: float | None = None) -> None:
        self.gold_reward, self.shaping = gold_reward, shaping
        self.joined: list[Group | None] = []

    def revalue(self, groups: Sequence[Group], scorer: Scorer) -> Sequence[Group]:
        self.joined = self._joined(groups, scorer)  # once a step: a critic learns from what it estimates
        return [
            replace(group, advantages=joined.advantages[:-1]) if joined is not None else group
            for group, joined in zip(groups, self.joined, strict=True)
        ]

    def examples(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        return [
            Example(
                prompts=joined.trajectories[-1].prompts,
                responses=joined.trajectories[-1].responses,
                method="gold_anchor",
                advantages=joined.advantages[-1],
                shaping=self.shaping,
            )
            for joined in self.joined
            if joined is not None
        ]

    def _joined(self, groups: Sequence[Group], scorer: Scorer) -> list[Group | None]:
        """The failed groups with the gold answer as their last member; None for the others."""
        gold = [self._gold(group, scorer) for group in groups]
        if not any(gold):
            return [None] * len(groups)
        # all groups, because an estimator may compare with the whole batch
        estimated = scorer.estimate(
            [
                group if answer is None else replace(group, trajectories=(*group.trajectories, answer))
                for group, answer in zip(groups, gold, strict=True)
            ]
        )
        return [None if answer is None else group for group, answer in zip(estimated, gold, strict=True)]

    def _gold(self, group: Group, scorer: Scorer) -> Trajectory | None:
        """The gold answer as an attempt; None where it is not needed, or not known."""
        if not group.trajectories or any(len(each.steps) > 1 or succeeded(each) for each in group.trajectories):
            return None
        corrections = [each.feedback.correction for each in group.trajectories]
        known = [text for text in (getattr(group.start, "target", None), *corrections) if text]
        if not known:
            return None
        response, prompt = scorer.encode(known[0]), group.trajectories[0].prompts[0]
        if not scorer.fits([prompt], response):
            return None
        action = Action(response, torch.zeros(len(response)), known[0])
        step = Step(prompt, action, terminated=True)
        return Trajectory(group.start, (step,), Feedback(reward=self.gold_reward, success=True))
