"""`revise`: answers are given once more with what was revealed, and learnt as if nothing had been.

Place: the response. Revealed: a right answer, a critique, what a sibling did right (`hints.py` says which goes first).
x the prompt, y the attempts, y' ~ π(·|x, revealed) one revision each, judged as attempts are, and trained under x:

    rationalise   -(1/N) Σ_t log π(y'_t|x)              y' that are right; attempts that are right likewise
    feedback      A = R(y') - mean_j R(y_j)             -A·log π(y'_t|x)
    critique      A = R - mean over all y and y'        -A·f(π(y'_t|x)) with f(p) = p/(p + 0.1), attempts as ever

Sources: STaR (Zelikman 2022, arXiv:2203.14465): only failed attempts are revised, with the gold answer for a hint where
there is one; `outcome_weight=0` makes it STaR (which also starts again from the base model in every iteration).
RLTF-SD (arXiv:2602.02482): the baseline is of the attempts. Critique-GRPO (arXiv:2506.03106): the critique is a verdict
and the gold answer; revisions count in the mean for the attempts of their group as well, and nothing is divided.
Groups without revisions keep the estimator's advantages: `algorithm=dr_grpo` gives them the same scale.

Revisions are sampled under another prompt than they are trained under, and with no ratio taken: the rows say so
(`behaviour_log_probs` is None). That is biased, as published. Episodes of several steps are not revised.

When not to use it: with a model that cannot make use of a hint: its revisions are further attempts, and trained without
a ratio. `feedback` makes bad revisions unlikely without end; take `critique` where revisions fail often. Where the hint
is the gold answer, part of what is gained is that answer: compare with `supervised`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

import torch

from backsight.hindsight.base import Hindsight, Scorer, imitated_example
from backsight.hindsight.composition import succeeded
from backsight.hindsight.hints import TEMPLATE, Hints
from backsight.types import Example, Group, Observation, Step, Trajectory

CRITIQUE_SHAPING = 0.1


@dataclass(frozen=True, slots=True)
class Revision:
    """An attempt, and what became of it."""

    attempt: Trajectory
    revised: Trajectory


class Revise(Hindsight):
    """Sample again with hindsight, learn without it."""

    def __init__(
        self,
        mode: Literal["rationalise", "feedback", "critique"] = "feedback",
        outcome_weight: float = 1.0,
        weight: float = 1.0,
        max_revisions: int | None = None,
        template: str = TEMPLATE,
        introduce: bool = True,
    ) -> None:
        """Raises `ConfigError` when the template has no place for prompt or hint."""
        self.mode, self.outcome_weight, self.weight, self.max_revisions = mode, outcome_weight, weight, max_revisions
        self.hints = Hints(template, introduce)
        self.revisions: list[list[Revision]] = []

    def revalue(self, groups: Sequence[Group], scorer: Scorer) -> Sequence[Group]:
        """The revisions of the step are made here, because in `critique` they count for the attempts as well."""
        self.revisions = self._revise(groups, scorer)
        if self.mode != "critique":
            return groups
        return [_among_all(*each) for each in zip(groups, self.revisions, strict=True)]

    def examples(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        pairs = zip(groups, self.revisions, strict=True)
        return [example for group, revisions in pairs for example in self._rows(group, revisions)]

    def _rows(self, group: Group, revisions: Sequence[Revision]) -> list[Example]:
        if self.mode == "rationalise":
            right = [(each, each) for each in group.trajectories if succeeded(each)]
            right += [(each.attempt, each.revised) for each in revisions if succeeded(each.revised)]
            return [
                imitated_example(attempt.prompts, answer.responses, "revise", self.weight, attempt)
                for attempt, answer in right
            ]
        counted = [] if self.mode == "feedback" else [each.revised for each in revisions]
        baseline = _mean_reward([*group.trajectories, *counted])
        return [
            Example(
                prompts=each.attempt.prompts,
                responses=each.revised.responses,
                method="revise",
                advantages=torch.full((each.revised.num_decisions,), sum(each.revised.rewards) - baseline),
                shaping=CRITIQUE_SHAPING if self.mode == "critique" else None,
                weight=self.weight,
                trajectory=each.attempt,
            )
            for each in revisions
        ]

    def _revise(self, groups: Sequence[Group], scorer: Scorer) -> list[list[Revision]]:
        told = [[each for each in self._told(group) if scorer.fits(each[1:])] for group in groups]
        prompts = [prompt for of_group in told for _, prompt in of_group]
        if not prompts:
            return [[] for _ in groups]
        actions = scorer.sample(prompts)
        attempts = [attempt for of_group in told for attempt, _ in of_group]
        answers = [
            Trajectory(
                attempt.start,
                (Step(attempt.prompts[0], action, terminated=not action.is_truncated, truncated=action.is_truncated),),
            )
            for attempt, action in zip(attempts, actions, strict=True)
        ]
        revisions = iter(map(Revision, attempts, scorer.judge(answers)))
        return [[next(revisions) for _ in of_group] for of_group in told]

    def _told(self, group: Group) -> list[tuple[Trajectory, Observation]]:
        """Attempts to revise, failed ones first, each with a prompt that says what was revealed."""
        attempts = sorted(group.trajectories, key=succeeded)
        if self.mode == "rationalise":
            attempts = [each for each in attempts if not succeeded(each)]
        told = [(each, prompt) for each in attempts if (prompt := self._informed(each, group)) is not None]
        return told[: self.max_revisions]

    def _informed(self, attempt: Trajectory, group: Group) -> Observation | None:
        step = attempt.steps[0]
        if len(attempt.steps) > 1 or not isinstance(step.observation, str | list):
            return None
        gold = None if self.mode == "feedback" else getattr(group.start, "target", None)
        hint = self.hints.hint(attempt, group, gold)
        if hint is None:
            return None
        return self.hints.with_text(step.observation, f"{self._recalled(attempt)}{hint}")

    def _recalled(self, attempt: Trajectory) -> str:
        """What was answered before, as the critic of it would say."""
        answer = (attempt.steps[0].action.text or "").strip()
        if self.mode == "rationalise":
            return ""
        if not self.hints.introduce:
            return f"{answer}\n"
        verdict = "" if self.mode == "feedback" else ", right" if succeeded(attempt) else ", wrong"
        return f"An earlier answer{verdict}: {answer}\n"


def _among_all(group: Group, revisions: Sequence[Revision]) -> Group:
    """Attempts are compared with revisions too."""
    if not revisions:
        return group
    baseline = _mean_reward([*group.trajectories, *(each.revised for each in revisions)])
    advantages = [torch.full((each.num_decisions,), sum(each.rewards) - baseline) for each in group.trajectories]
    return replace(group, advantages=tuple(advantages))


def _mean_reward(trajectories: Sequence[Trajectory]) -> float:
    return fmean(sum(each.rewards) for each in trajectories) if trajectories else 0.0
