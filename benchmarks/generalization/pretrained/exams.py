"""Exams: what a policy is asked, and the scores of its answers by name and item."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import fmean
from typing import Any

import backsight
from backsight.evaluation.alarms import behaviour_metrics
from backsight.evaluation.likelihood import turn_log_probs
from backsight.policies.memory import round_to_bfloat16
from backsight.policies.text import TextPolicy
from backsight.tasks.base import Item, Task, draw_items
from backsight.tasks.recorded import is_rewarded
from backsight.types import Trajectory
from benchmarks.generalization.pretrained.ways import TEMPERATURE

ItemScores = Mapping[str, Sequence[float | None]]
"""The score of each item, by the name of the score; None where there is none."""

LOG_PROB, REWARDED = "log_prob", "rewarded"


class Kind(StrEnum):
    """What an exam tells."""

    DEV = "dev"
    """Which learning rate is best: nothing of it is reported."""
    IN_DOMAIN = "in domain"
    OUT_OF_DOMAIN = "out of domain"
    BESIDE = "beside"
    """What takes no part in the verdict: another measure, or what the policy can still do of other things."""


@dataclass(frozen=True)
class Exam(ABC):
    """Something that a policy is asked."""

    name: str
    kind: Kind
    score: str
    """The name of the score that counts."""

    needs_base = False
    """Whether what counts is told from the scores of the base as well."""

    @abstractmethod
    def ask(self, policy: TextPolicy, samples: int = 1) -> ItemScores:
        """Return the scores of a policy.

        With several `samples`, the best of so many answers is scored, which needs a judge at answering.
        """

    @abstractmethod
    def rehearsal(self) -> Exam:
        """Return the exam with as few items as show that everything runs."""

    def count(self, scores: ItemScores, base: ItemScores) -> list[float]:
        """Return what counts of the scores of a policy, given those of the base: a number for each item."""
        return [value or 0.0 for value in scores[self.score]]


@dataclass(frozen=True)
class Questions(Exam):
    """Items of a task, each of which is answered once, greedily, in the precision that policies are trained in."""

    task: Task
    split: str
    settings: Mapping[str, Any]
    """Settings of `backsight.evaluate`, such as how long an answer may be, and how many items are drawn. They are the
    same items in each run."""

    def ask(self, policy: TextPolicy, samples: int = 1) -> ItemScores:
        own = copy.deepcopy(policy)
        round_to_bfloat16(own.module)
        found = backsight.evaluate(
            own,
            self.task,
            samples=samples,
            splits=(self.split,),
            temperature=TEMPERATURE,
            long_prompts="truncate",
            **self.settings,
        )
        if samples == 1:
            return {name: list(values) for name, values in found.scores["policy"][self.split].items()}
        best = [max(own, key=_reward) for own in found[self.split].attempts]
        return {
            "reward": [_reward(each) for each in best],
            **{name: [each.feedback.rewards.get(name) for each in best] for name in best[0].feedback.rewards},
            **behaviour_metrics([[each] for each in best]),
        }

    def rehearsal(self) -> Questions:
        return replace(self, settings={**self.settings, "eval_items": 2, "max_completion_length": 8})


@dataclass(frozen=True)
class Turns(Exam):
    """Turns of logs that people rewarded or did not: which of them training has made likelier.

    What counts is, for each rewarded turn, the share of the unrewarded ones that gained less log-probability a token
    than it did, so that the mean is the share of all pairs; 0.5 where nothing has changed.
    """

    turns: Sequence[Item]

    needs_base = True

    def ask(self, policy: TextPolicy, samples: int = 1) -> ItemScores:
        rewarded = [float(bool(is_rewarded(item))) for item in self.turns]
        return {LOG_PROB: turn_log_probs(policy, self.turns), REWARDED: rewarded}

    def count(self, scores: ItemScores, base: ItemScores) -> list[float]:
        gains = [(own or 0) - (before or 0) for own, before in zip(scores[LOG_PROB], base[LOG_PROB], strict=True)]
        good, bad = (
            [gain for gain, kind in zip(gains, scores[REWARDED], strict=True) if kind == wanted] for wanted in (1, 0)
        )
        return [fmean((own > other) + 0.5 * (own == other) for other in bad) for own in good]

    def rehearsal(self) -> Turns:
        return replace(self, turns=draw_turns(self.turns, 2))


def draw_turns(turns: Sequence[Item], most: int) -> list[Item]:
    """Return up to so many rewarded turns, and as many others at most; the same ones in each run."""
    kinds = ([item for item in turns if is_rewarded(item) is wanted] for wanted in (True, False))
    return [item for own in kinds for item in draw_items(own, most)]


def _reward(attempt: Trajectory) -> float:
    return attempt.total_reward
