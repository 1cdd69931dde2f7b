"""`revise`: answers are given once more with what was revealed, and learnt as if nothing had been revealed.

Place: the response.
Revealed: a right answer, a critique, what a sibling did right (`hints.py` says which goes first).
Sources: STaR (Zelikman 2022, arXiv:2203.14465), RLTF-SD (arXiv:2602.02482) and Critique-GRPO (arXiv:2506.03106).
Loss, by `mode`:

    rationalise   -(1/N) Σ_t log π(y'_t|x)              y' that are right; attempts that are right likewise
    feedback      A = R(y') - mean_j R(y_j)             -A·log π(y'_t|x)
    critique      A = R - mean over all y and y'        -A·f(π(y'_t|x)) with f(p) = p/(p + 0.1), attempts as ever

x is the prompt, y_j are the attempts of a group, y' ~ π(·|x, revealed) is one revision each, t runs over its tokens, N
is the number of imitated tokens, R the reward and A the advantage. Revisions are judged as attempts are, and trained
under x.

STaR: only failed attempts are revised, with the gold answer for a hint where there is one; `outcome_weight=0` makes it
STaR (which also starts again from the base model in every iteration). RLTF-SD: the baseline is that of the attempts.
Critique-GRPO: the critique is a verdict and the gold answer; revisions count in the mean for the attempts of their
group as well, and nothing is divided. Groups without revisions keep the estimator's advantages: `algorithm=dr_grpo`
gives them the same scale.

Revisions are sampled under another prompt than they are trained under, and no ratio is taken: the rows say so
(`behaviour_log_probs` is None). That is biased, as published. Episodes of several steps are not revised.

When not to use it: with a model that cannot make use of a hint: its revisions are only further attempts, and trained
without a ratio. `feedback` makes bad revisions unlikely without end; take `critique` where revisions fail often. Where
the hint is the gold answer, part of what is gained is that answer: compare with `supervised`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch

from backsight.hindsight.base import Hindsight, LookBack, Scorer, imitation_row
from backsight.hindsight.hints import Hints
from backsight.hindsight.response.options import ReviseOptions
from backsight.rounding import difference
from backsight.types import Action, Example, Feedback, Group, Observation, Step, Trajectory

CRITIQUE_SHAPING = 0.1
"""The number in f(p) = p/(p + 0.1) of Critique-GRPO."""


@dataclass(frozen=True, slots=True)
class Revision:
    """Attempt and its revision, which was judged like an attempt."""

    attempt: Trajectory
    revised: Trajectory


class Revise(Hindsight[ReviseOptions]):
    """Method that samples again with hindsight, and learns the result without it."""

    def __init__(self, options: ReviseOptions) -> None:
        """Make the method.

        Raises:
            ConfigError: when the template has no place for prompt or hint.
        """
        super().__init__(options)
        self.hints = Hints(options.template, options.introduce)

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        pairs = list(zip(groups, self._revise(groups, scorer), strict=True))
        rows = [row for group, revisions in pairs for row in self._rows(group, revisions)]
        if self.options.mode == "critique":  # revisions count in the mean that attempts are compared with
            groups = [_compare_with_all(*pair) for pair in pairs]
        return LookBack(groups, rows)

    def _rows(self, group: Group, revisions: Sequence[Revision]) -> list[Example]:
        mode, weight = self.options.mode, self.options.weight
        if mode == "rationalise":
            right = [(each, each) for each in group.trajectories if each.succeeded and not each.was_cut_off]
            right += [
                (each.attempt, each.revised)
                for each in revisions
                if each.revised.succeeded and not each.revised.was_cut_off
            ]
            return [
                imitation_row(attempt.prompts, answer.responses, "revise", weight, attempt) for attempt, answer in right
            ]
        counted = [] if mode == "feedback" else [each.revised for each in revisions]
        baseline = _mean_reward([*group.scored, *counted])
        return [
            Example(
                prompts=each.attempt.prompts,
                responses=each.revised.responses,
                method="revise",
                advantages=torch.full((each.revised.num_decisions,), difference(each.revised.total_reward, baseline)),
                shaping=CRITIQUE_SHAPING if mode == "critique" else None,
                weight=weight,
                trajectory=each.attempt,
            )
            for each in revisions
            if each.revised.is_scored
        ]

    def _revise(self, groups: Sequence[Group], scorer: Scorer) -> list[list[Revision]]:
        told = [[each for each in self._told(group) if scorer.fits(each[1:])] for group in groups]
        prompts = [prompt for of_group in told for _, prompt in of_group]
        if not prompts:
            return [[] for _ in groups]
        actions = scorer.sample(prompts)
        attempts = [attempt for of_group in told for attempt, _ in of_group]
        revisions = iter(map(Revision, attempts, scorer.judge(list(map(_answer, attempts, actions)))))
        return [[next(revisions) for _ in of_group] for of_group in told]

    def _told(self, group: Group) -> list[tuple[Trajectory, Observation]]:
        """Return the attempts to revise, failed ones first, each with a prompt that says what was revealed."""
        attempts = sorted(group.trajectories, key=lambda each: each.succeeded)
        if self.options.mode == "rationalise":
            attempts = [each for each in attempts if not each.succeeded]
        told = [(each, prompt) for each in attempts if (prompt := self._inform(each, group)) is not None]
        return told[: self.options.max_revisions]

    def _inform(self, attempt: Trajectory, group: Group) -> Observation | None:
        step = attempt.steps[0]
        if len(attempt.steps) > 1 or not isinstance(step.observation, str | list):
            return None
        gold = None if self.options.mode == "feedback" else getattr(group.start, "target", None)
        hint = self.hints.hint(attempt, group, gold)
        if hint is None:
            return None
        return self.hints.with_text(step.observation, f"{self._recall(attempt)}{hint}")

    def _recall(self, attempt: Trajectory) -> str:
        """Return the earlier answer, with the verdict in the mode `critique`; nothing in the mode `rationalise`."""
        answer = (attempt.steps[0].action.text or "").strip()
        if self.options.mode == "rationalise":
            return ""
        if not self.options.introduce:
            return f"{answer}\n"
        verdict = "" if self.options.mode == "feedback" else ", right" if attempt.succeeded else ", wrong"
        return f"An earlier answer{verdict}: {answer}\n"


def _answer(attempt: Trajectory, action: Action) -> Trajectory:
    """Return the attempt with another answer, of which nothing is known yet."""
    step = Step(attempt.prompts[0], action, terminated=not action.is_truncated, truncated=action.is_truncated)
    return replace(attempt, steps=(step,), feedback=Feedback(), key=None, next_observation=None)


def _compare_with_all(group: Group, revisions: Sequence[Revision]) -> Group:
    """Return the group with advantages over the mean of attempts and revisions."""
    if not revisions:
        return group
    baseline = _mean_reward([*group.scored, *(each.revised for each in revisions)])
    advantages = [
        torch.full((each.num_decisions,), difference(each.total_reward, baseline) if each.is_scored else 0.0)
        for each in group.trajectories
    ]
    return replace(group, advantages=tuple(advantages))


def _mean_reward(trajectories: Sequence[Trajectory]) -> float:
    rewards = [each.total_reward for each in trajectories if each.is_scored]
    return fmean(rewards) if rewards else 0.0
