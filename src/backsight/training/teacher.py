"""The teacher: a copy of the policy that is told what was revealed, and the trials of how much better it is.

Distillation from a teacher that is no better makes a policy worse: a live teacher forgets how to use its hint, and both
end at nothing (docs/methods.md; the collapse of SDPO that users report). So the teacher acts now and then on what it
was told, and has to earn more than the policy does.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from backsight.errors import ConfigError
from backsight.policies.base import Policy, trained_weights
from backsight.policies.blended import BlendedPolicy
from backsight.policies.text import LanguageModelPolicy
from backsight.training.config import TeacherConfig
from backsight.training.frozen_scores import Scoring
from backsight.types import Action, Example, Group, Observation, Step, Trajectory

NEWEST = 4
"""Number of trials that count: older ones were of a teacher that has changed, and fewer would be noise."""

Acting = Callable[[Sequence[Observation]], list[Action]]
"""A function that lets the teacher act: one action for each of its prompts."""
Judging = Callable[[Sequence[Trajectory]], list[Trajectory]]
"""A function that gives trajectories the feedback of the run's own source."""


class Teacher:
    """The teacher of a run: a policy with weights of its own, unless it is live. Call `follow` after every step."""

    def __init__(self, policy: Policy, config: TeacherConfig) -> None:
        """Make the teacher from the policy as it is now.

        Raises:
            ConfigError: when a trust region is asked for and the policy is no language model.
        """
        self.config = config
        self.copy = policy if config.update == "live" else copy.deepcopy(policy)
        """Policy that acts in trials, and that a checkpoint keeps."""
        self.scoring: Scoring = self.copy
        if config.update == "trust_region":
            if not isinstance(policy, LanguageModelPolicy) or not isinstance(self.copy, LanguageModelPolicy):
                raise ConfigError("teacher.update", config.update, "is for language models; use ema or frozen")
            self.scoring = BlendedPolicy(self.copy, policy, config.rate)

    @torch.no_grad()
    def follow(self, policy: Policy) -> None:
        """Move the teacher's weights towards the policy's if they are an average; else do nothing."""
        if self.config.update == "ema":
            for own, new in zip(*(trained_weights(each.module).values() for each in (self.copy, policy)), strict=True):
                own.lerp_(new.to(own.dtype), self.config.rate)


@dataclass(frozen=True, slots=True)
class TrialResult:
    """Mean rewards of the teacher and of the policy (the student) in the newest trials."""

    teacher: float
    student: float

    @property
    def is_better(self) -> bool:
        """Whether the teacher earned more than the policy at the same starts."""
        return self.teacher > self.student

    @property
    def metrics(self) -> dict[str, float]:
        return {
            "teacher/score": self.teacher,
            "teacher/student_score": self.student,
            "teacher/paused": float(not self.is_better),
        }

    @property
    def complaint(self) -> str | None:
        """Message for users while the teacher is not better; None otherwise."""
        if self.is_better:
            return None
        return (
            f"distillation pauses: with what was revealed the teacher earns {self.teacher:.3g}, the policy without it "
            f"{self.student:.3g}"
        )


class TeacherTrials:
    """The trials of a run's teacher."""

    def __init__(self, config: TeacherConfig, acting: Acting, judging: Judging) -> None:
        self.config, self.acting, self.judging = config, acting, judging

    def result(
        self, past: list[list[float]], step: int, examples: Sequence[Example], groups: Sequence[Group]
    ) -> TrialResult | None:
        """Return the result of the newest trials; None when there was none yet.

        If a trial is due at this step, it is made and added to `past`.
        """
        if self.config.check_steps and step % self.config.check_steps == 0:
            trial = self._try(examples, groups)
            if trial is not None:
                past.append(trial)
        if not past:
            return None
        newest = past[-NEWEST:]
        return TrialResult(*(sum(column) / len(newest) for column in zip(*newest, strict=True)))

    def _try(self, examples: Sequence[Example], groups: Sequence[Group]) -> list[float] | None:
        """Let the teacher act at some of the starts, in single-step episodes only: longer ones need an environment.

        Return the mean rewards of the teacher and of the policy; None when there is nothing to try.
        """
        tried = self._choose(examples, groups)
        if not tried:
            return None
        actions = self.acting([prompt for prompt, _, _ in tried])
        answers = [
            Trajectory(attempt.start, (_answer(attempt, action),))
            for (_, attempt, _), action in zip(tried, actions, strict=True)
        ]
        teacher = [each.total_reward for each in self.judging(answers)]
        student = [each.total_reward for _, _, group in tried for each in group.trajectories]
        return [sum(teacher) / len(teacher), sum(student) / len(student)]

    def _choose(
        self, examples: Sequence[Example], groups: Sequence[Group]
    ) -> list[tuple[Observation, Trajectory, Group]]:
        """Return, for some of the groups, the teacher's prompt, the attempt that it is about, and the group."""
        known = {each.key: number for number, group in enumerate(groups) for each in group.trajectories}
        chosen: dict[int, tuple[Observation, Trajectory, Group]] = {}
        for example in examples:
            attempt, told = example.trajectory, example.teacher_prompts
            if told is None or attempt is None or len(attempt.steps) != 1 or attempt.key not in known:
                continue
            number = known[attempt.key]
            chosen.setdefault(number, (told[0], attempt, groups[number]))
        return list(chosen.values())[: self.config.check_prompts]


def _answer(attempt: Trajectory, action: Action) -> Step:
    """Return the attempt's step with the teacher's action in place of the policy's."""
    return replace(
        attempt.steps[0],
        action=action,
        terminated=not action.is_truncated,
        truncated=action.is_truncated,
        reward=0.0,
        feedback=None,
    )


def drop_teacher(examples: Sequence[Example]) -> list[Example]:
    """Return the examples without their teacher; those that teach nothing else are left out."""
    left = [replace(each, teacher_prompts=None, teacher_weights=None) for each in examples]
    return [each for each in left if each.advantages is not None or each.imitation_weights is not None]
