"""A teacher is tried before it is believed: it acts on what it was told, and has to earn more than the policy does.

Distillation from a teacher that is no better makes a policy worse: a live one forgets how to use its hint, and both end
at nothing (docs/methods.md; the collapse of SDPO that users report).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from backsight.training.config import TeacherConfig
from backsight.types import Action, Example, Group, Observation, Step, Trajectory

NEWEST = 4
"""Trials that count: more would remember a teacher that is no more, fewer would be noise."""

Acting = Callable[[Sequence[Observation]], list[Action]]
"""The teacher: one action for each of its prompts."""
Judging = Callable[[Sequence[Trajectory]], list[Trajectory]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Mean rewards of the newest trials."""

    teacher: float
    student: float

    @property
    def is_better(self) -> bool:
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
        if self.is_better:
            return None
        return (
            f"distillation pauses: with what was revealed the teacher earns {self.teacher:.3g}, the policy without it "
            f"{self.student:.3g}"
        )


class Trials:
    """Of one teacher, over a run."""

    def __init__(self, config: TeacherConfig, acting: Acting, judging: Judging) -> None:
        self.config, self.acting, self.judging = config, acting, judging

    def verdict(
        self, past: list[list[float]], step: int, examples: Sequence[Example], groups: Sequence[Group]
    ) -> Verdict | None:
        """What is known by now, `past` trials and perhaps a new one, which is added to them; None: nothing yet."""
        if self.config.check_steps and step % self.config.check_steps == 0:
            trial = self._trial(examples, groups)
            if trial is not None:
                past.append(trial)
        if not past:
            return None
        newest = past[-NEWEST:]
        return Verdict(*(sum(column) / len(newest) for column in zip(*newest, strict=True)))

    def _trial(self, examples: Sequence[Example], groups: Sequence[Group]) -> list[float] | None:
        """At some of the starts, in single steps: of longer episodes nobody could play the other part."""
        tried = self._chosen(examples, groups)
        if not tried:
            return None
        actions = self.acting([prompt for prompt, _, _ in tried])
        answers = [
            Trajectory(attempt.start, (_answer(attempt, action),))
            for (_, attempt, _), action in zip(tried, actions, strict=True)
        ]
        teacher = [sum(each.rewards) for each in self.judging(answers)]
        student = [sum(each.rewards) for _, _, group in tried for each in group.trajectories]
        return [sum(teacher) / len(teacher), sum(student) / len(student)]

    def _chosen(
        self, examples: Sequence[Example], groups: Sequence[Group]
    ) -> list[tuple[Observation, Trajectory, Group]]:
        """The teacher's prompt, the attempt it is about, and the group of that: one of a group."""
        group_of = {id(each): group for group in groups for each in group.trajectories}
        chosen: dict[int, tuple[Observation, Trajectory, Group]] = {}
        for example in examples:
            attempt, told = example.trajectory, example.teacher_prompts
            if told is None or attempt is None or len(attempt.steps) != 1 or id(attempt) not in group_of:
                continue
            group = group_of[id(attempt)]
            chosen.setdefault(id(group), (told[0], attempt, group))
        return list(chosen.values())[: self.config.check_prompts]


def _answer(attempt: Trajectory, action: Action) -> Step:
    """What the teacher did, as an answer to what the policy was asked."""
    return replace(
        attempt.steps[0], action=action, terminated=not action.is_truncated, truncated=action.is_truncated, reward=0.0
    )


def without_teacher(examples: Sequence[Example]) -> list[Example]:
    """What is left of them when the teacher is not believed."""
    left = [replace(each, teacher_prompts=None, teacher_weights=None) for each in examples]
    return [each for each in left if each.advantages is not None or each.imitation_weights is not None]
