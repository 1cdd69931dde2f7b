"""`gold_anchor`: a group in which all attempts failed gets the gold answer as one more member.

Place: the response.
Revealed: the gold answer (`item.target`), else a correction (`Feedback.correction`).
Source: GCPO, "When Contrast Fails, Go Gold" (arXiv:2510.07790).
Loss: the policy gradient, in a group of G attempts with the rewards R_i at the prompt x,

    all R_i failed:   A_1 … A_G, A_gold = estimator(R_1 … R_G, 1)        GRPO, RLOO, …, over G + 1
    rows              the attempts with A_i as ever, and  -A_gold·log π(gold_t|x), or with γ  -A_gold·π/(π + γ)

for every token gold_t of the gold answer. 1 is its reward (`gold_reward`), γ the option `shaping`, and π in the last
term stands for π(gold_t|x).

Gold answers are averaged among themselves, and weighted by their share of all answers, gold and sampled: each counts
as much as an attempt, as in a batch that holds both, and the attempts count as if there were none.

Both halves change: the attempts lose, the gold answer gains. GCPO puts the gold answer in the place of an attempt; here
all attempts stay. GCPO takes a ratio of whole sequences; here nobody sampled the gold answer, so there is no ratio to
take, and the row says so (`behaviour_log_probs` is None). `shaping` bounds the row, but its gradient fades where the
policy would never have gone, which is where the gold answer is needed: it is off by default. Groups with a success or
with episodes of several steps stay as they are, and so do those whose gold answer has no room behind its prompt.

When not to use it: where rewards are graded and nothing says what a success is, so that no group fails; or with gold
answers for all prompts and few attempts that succeed: `supervised` is cheaper then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from backsight.hindsight.base import Hindsight, LookBack, Scorer
from backsight.hindsight.response.options import GoldAnchorOptions
from backsight.types import Action, Example, Feedback, Group, Step, Trajectory


class GoldAnchor(Hindsight[GoldAnchorOptions]):
    """Method that adds the gold answer as a success to groups that have none."""

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        pairs = list(zip(groups, self._join(groups, scorer), strict=True))
        changed = [
            group if joined is None else replace(group, advantages=joined.advantages[:-1]) for group, joined in pairs
        ]
        anchors = [joined for _, joined in pairs if joined is not None]
        num_attempts = sum(len(group.scored) for group in groups)
        return LookBack(changed, [self._row(each, len(anchors) / (num_attempts + len(anchors))) for each in anchors])

    def _row(self, joined: Group, share: float) -> Example:
        gold = joined.trajectories[-1]
        return Example(
            prompts=gold.prompts,
            responses=gold.responses,
            method="gold_anchor",
            advantages=joined.advantages[-1],
            shaping=self.options.shaping,
            weight=share,
        )

    def _join(self, groups: Sequence[Group], scorer: Scorer) -> list[Group | None]:
        """Return the failed groups with the gold answer as their last member; None for the others."""
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
        """Return the gold answer as an attempt; None when it is not needed, not known or too long."""
        if not group.trajectories or any(len(each.steps) > 1 or each.succeeded for each in group.trajectories):
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
        return Trajectory(group.start, (step,), Feedback(reward=self.options.gold_reward, success=True))
