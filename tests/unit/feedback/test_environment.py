"""What an environment says of an episode, as a source of feedback."""

import torch

from backsight.feedback.environment import EnvironmentFeedback
from backsight.types import Action, Feedback, Step, Trajectory


def test_the_source_reads_what_came_with_the_last_step() -> None:
    left = Feedback(step_rewards=(1.0,))
    step = Step("o", Action((0,), torch.zeros(1)))
    last = Step("o", Action((0,), torch.zeros(1)), feedback=left)
    trajectories = [Trajectory(0, (step, last)), Trajectory(1, (step,)), Trajectory(2, (last, step))]
    assert EnvironmentFeedback()(trajectories, seeds=range(9)) == [left, Feedback(), Feedback()]
