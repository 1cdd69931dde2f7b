"""The teacher: a copy of the policy that is told what was revealed, and the trials of how much better it is.

Distillation from a teacher that is no better makes a policy worse: a live teacher forgets how to use its hint, and both
end at nothing (docs/methods.md; the collapse of SDPO that users report). So the teacher acts now and then on what it
was told, and has to earn more than the policy does.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from backsight.errors import ConfigError
from backsight.hindsight.base import Told
from backsight.policies.base import Policy, set_weights, trained_weights
from backsight.policies.blended import BlendedPolicy
from backsight.policies.memory import round_to_bfloat16
from backsight.policies.text import LanguageModelPolicy
from backsight.rounding import difference
from backsight.training.config import TeacherConfig
from backsight.training.frozen_scores import Scoring
from backsight.types import Action, Feedback, Group, Observation, Trajectory

NEWEST = 4
"""Number of trials that count: older ones were of a teacher that has changed, and fewer would be noise."""

PolicyT = TypeVar("PolicyT", bound=Policy)

Acting = Callable[[Sequence[Observation]], list[Action]]
"""A function that lets the teacher act: one action for each of its prompts."""
Judging = Callable[[Sequence[Trajectory]], list[Trajectory]]
"""A function that gives trajectories the feedback of the run's own source."""


class Teacher:
    """The teacher of a run: a policy with weights of its own, unless it is live.

    Call `begin` before every step, and `follow` after it.
    """

    def __init__(self, policy: Policy, config: TeacherConfig, bf16: bool = False) -> None:
        """Make the teacher from the policy as it is now, in the precision that the policy will compute in.

        Raises:
            ConfigError: when logits are to be blended and the policy is no language model.
        """
        self.config = config
        self.copy = policy if config.update == "live" else in_precision(copy.deepcopy(policy), bf16)
        """Policy that acts in trials, and that a checkpoint keeps."""
        self.masters: dict[str, Tensor] = {}
        """Average in float32 of a copy in lower precision, in which a small change of the average would be lost."""
        if config.update == "ema":
            own = trained_weights(self.copy.module)
            if any(weight.dtype != torch.float32 for weight in own.values()):
                self.masters = {name: weight.detach().float().clone() for name, weight in own.items()}
        self.scoring: Scoring = self.copy
        """What the teacher thinks under the prompts of an example."""
        if config.update == "trust_region":
            if not isinstance(policy, LanguageModelPolicy) or not isinstance(self.copy, LanguageModelPolicy):
                raise ConfigError("teacher.update", config.update, "is for language models; use ema or frozen")
            self.scoring = BlendedPolicy(self.copy, policy, config.rate)
        self.mixture: BlendedPolicy | None = None
        if config.mixes:
            if not isinstance(self.copy, LanguageModelPolicy):
                raise ConfigError("teacher.share", list(config.share), "is for language models; leave it out")
            share = config.share_at(0)
            self.mixture = BlendedPolicy(self.copy, self.copy, share, anchor_reads_other_prompts=True)

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Weights that a checkpoint keeps: those of the copy, or the float32 masters that it is rounded from."""
        return self.masters or trained_weights(self.copy.module)

    @property
    def target(self) -> Scoring:
        """What is distilled, of examples that are `exchanged`."""
        return self.mixture or self.scoring

    def begin(self, step: int) -> None:
        """Begin a step, counted from 0: it says how much of the target is the teacher's own."""
        if self.mixture is not None:
            self.mixture.share = self.config.share_at(step)

    @torch.no_grad()
    def follow(self, policy: Policy, step: int) -> None:
        """Move the teacher's weights towards the policy's after a step, or set them to these, if that is its way."""
        if self.config.update == "restart" and (step + 1) % self.config.restart_steps == 0:
            set_weights(self.weights, trained_weights(policy.module))
        if self.config.update == "ema":
            new = trained_weights(policy.module)
            for name, own in self.weights.items():
                own.lerp_(new[name].to(own.dtype), self.config.rate)
            self.round_masters()

    def round_masters(self) -> None:
        """Set the weights of the copy to its masters, rounded, if it has any."""
        if self.masters:
            set_weights(trained_weights(self.copy.module), self.masters)


def in_precision(policy: PolicyT, bf16: bool) -> PolicyT:
    """Return the policy, with its weights turned to bfloat16 if that is asked for."""
    if bf16:
        round_to_bfloat16(policy.module)
    return policy


@dataclass(frozen=True, slots=True)
class TrialResult:
    """Mean rewards of the teacher and of the policy (the student) in the newest trials."""

    teacher: float
    student: float

    @property
    def is_better(self) -> bool:
        """Whether the teacher earned more than the policy at the same starts."""
        return difference(self.teacher, self.student) > 0

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
            f"teacher pauses: with what was revealed the teacher earns {self.teacher:.3g}, the policy without it "
            f"{self.student:.3g}"
        )


class TeacherTrials:
    """The trials of a run's teacher."""

    def __init__(self, config: TeacherConfig, acting: Acting, judging: Judging) -> None:
        self.config, self.acting, self.judging = config, acting, judging

    def result(self, past: list[list[float]], step: int, told: Told, groups: Sequence[Group]) -> TrialResult | None:
        """Return the result of the newest trials; None when there was none yet.

        If a trial is due at this step, it is made and added to `past`. `told` are the prompts that the teacher would
        see.
        """
        if self.config.check_steps and step % self.config.check_steps == 0:
            trial = self._try(told, groups)
            if trial is not None:
                past.append(trial)
        if not past:
            return None
        newest = past[-NEWEST:]
        return TrialResult(*(sum(column) / len(newest) for column in zip(*newest, strict=True)))

    def _try(self, told: Told, groups: Sequence[Group]) -> list[float] | None:
        """Let the teacher act at some of the starts, in single-step episodes only: longer ones need an environment.

        Return the mean rewards of the teacher and of the policy; None when there is nothing to try, or nobody scores.
        """
        tried = self._choose(told, groups)
        if not tried:
            return None
        actions = self.acting([prompt for prompt, _, _ in tried])
        answers = [_answer(attempt, action) for (_, attempt, _), action in zip(tried, actions, strict=True)]
        teacher = [each.total_reward for each in self.judging(answers) if each.is_scored]
        student = [each.total_reward for _, _, group in tried for each in group.scored]
        if not teacher or not student:
            return None
        return [sum(teacher) / len(teacher), sum(student) / len(student)]

    def _choose(self, told: Told, groups: Sequence[Group]) -> list[tuple[Observation, Trajectory, Group]]:
        """Return, for some of the groups, the teacher's prompt, the attempt that it is about, and the group."""
        chosen = []
        for group in groups:
            attempts = [each for each in group.trajectories if each.key in told and len(each.steps) == 1]
            if attempts and attempts[0].key is not None:
                chosen.append((told[attempts[0].key][0], attempts[0], group))
        return chosen[: self.config.check_prompts]


def _answer(attempt: Trajectory, action: Action) -> Trajectory:
    """Return the attempt with the teacher's action in place of the policy's, of which nothing is known yet."""
    step = replace(
        attempt.steps[0],
        action=action,
        terminated=not action.is_truncated,
        truncated=action.is_truncated,
        reward=None,
        feedback=None,
    )
    return replace(attempt, steps=(step,), feedback=Feedback(), key=None, next_observation=None)
