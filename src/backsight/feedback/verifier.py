"""A task's own judge as a source of feedback, with what a failed attempt would have been right for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from backsight.errors import RewardError
from backsight.seeds import derived_seed
from backsight.tasks.base import Item, Task
from backsight.types import Feedback, Trajectory


class TaskVerifier:
    """Judges trajectories whose start is an `Item` of the task and whose last action is the completion.

    Of an attempt in a single step that did not succeed it also asks the task which prompt the completion
    would have answered, and reveals that as the achieved goal. (Of a longer episode the task cannot say how
    each of the observations would have read; an attempt that was cut off has achieved nothing, and to imitate
    it would teach never to end.)
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.busy = (f"task '{task.name}'",)

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> Sequence[Feedback]:
        """One feedback a trajectory, in their order.

        Raises:
            RewardError: the task's judge failed, or gave a reward that is not finite.
        """
        return [
            self._judged(trajectory, derived_seed(seed, "relabelled"))
            for trajectory, seed in zip(trajectories, seeds, strict=True)
        ]

    def _judged(self, trajectory: Trajectory, seed: int) -> Feedback:
        item: Item = trajectory.start
        text = completion_text(trajectory)
        try:
            feedback = self.task.judge(item, text)
            is_finite = feedback.reward is not None and math.isfinite(feedback.reward)
            goal = None
            if not feedback.success and len(trajectory.steps) == 1 and trajectory.steps[0].terminated:
                goal = self.task.relabelled(item, text, seed)
        except Exception as error:  # a task may be anybody's code
            remedy = f"the judge of {text!r} raised {type(error).__name__}: {error}; mend the task"
            raise RewardError(f"task '{self.task.name}'", f"item {item.id}", remedy) from error
        if not is_finite:
            remedy = f"the judge gave {text!r} the reward {feedback.reward}; give gold answers or reward functions"
            raise RewardError(f"task '{self.task.name}'", f"item {item.id}", remedy)
        return feedback if goal is None else replace(feedback, achieved_goal=(goal,))


def completion_text(trajectory: Trajectory) -> str:
    """What the policy said last.

    Raises:
        RewardError: the policy does not speak, so that there is no text to judge.
    """
    action = trajectory.steps[-1].action
    if action.text is None:
        raise RewardError("action.text", None, "only a language model's completions can be judged as text")
    return action.text
