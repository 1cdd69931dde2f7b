"""The best episodes, remembered and imitated under what they fulfilled."""

import numpy as np
import pytest
import torch
from unit.hindsight.fakes import Method, attempt, group_of, make_rows

from backsight.errors import DataError
from backsight.hindsight.prompt.options import CommandOptions
from backsight.types import Action, Example, Feedback, Group, Step, Trajectory


def episode(earned: float, mark: int, num_steps: int = 2) -> Trajectory:
    """Its actions are the mark, and so are its observations as they would have been."""
    action = Action(np.array([mark]), torch.zeros(1))
    fulfilled = tuple(np.array([mark, step], np.float32) for step in range(num_steps))
    step = Step(np.zeros(2, np.float32), action)
    return Trajectory(0, (step,) * num_steps, Feedback(reward=earned, achieved_prompts=fulfilled))


def play(method: Method, *trajectories: Trajectory) -> list[Example]:
    """What is learnt of a step with these episodes, each in a group of its own."""
    return make_rows(method, *map(group_of, trajectories))


def marks(examples: list[Example]) -> list[int]:
    return [int(each.responses[0][0]) for each in examples]


def test_an_episode_is_imitated_under_the_command_that_it_fulfilled() -> None:
    (row,) = play(CommandOptions(imitation_weight=0.5), episode(1.0, 7))
    assert [each.tolist() for each in row.prompts] == [[7, 0], [7, 1]]
    assert [each.tolist() for each in row.responses] == [[7], [7]]
    assert row.prompts[0].dtype == np.float32 and row.responses[0].dtype == np.int64
    assert row.imitation_weights is not None and row.imitation_weights.tolist() == [1.0, 1.0]
    assert row.weight == 0.5 and row.behaviour_log_probs is None and row.advantages is None


def test_the_best_are_remembered_and_of_equal_ones_the_newest() -> None:
    method = CommandOptions(memory=2).build()
    assert marks(play(method, episode(1.0, 1), episode(3.0, 2), episode(2.0, 3))) == [2, 3]
    assert marks(play(method, episode(2.0, 4), episode(0.0, 5))) == [2, 4]
    assert marks(play(method)) == [2, 4]


def test_a_resumed_run_remembers_the_same() -> None:
    method, resumed = CommandOptions(memory=2).build(), CommandOptions(memory=2).build()
    first = play(method, episode(1.0, 1, num_steps=3), episode(0.1, 2, num_steps=1))
    resumed.load_state(method.state())
    again = play(resumed)
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.prompts, other.prompts) and np.array_equal(one.responses, other.responses)
    assert marks(play(resumed, episode(0.2, 3))) == marks(play(method, episode(0.2, 3))) == [1, 3]


@pytest.mark.parametrize("groups", [[], [Group(0)]])
def test_nothing_teaches_nothing(groups: list[Group]) -> None:
    method = CommandOptions().build()
    assert make_rows(method, *groups) == []
    method.load_state(method.state())
    assert make_rows(method, *groups) == []


@pytest.mark.parametrize("feedback", [Feedback(reward=1.0), Feedback(reward=1.0, achieved_prompts=("in words",))])
def test_an_environment_without_commands_is_told_what_to_do(feedback: Feedback) -> None:
    with pytest.raises(DataError, match="wrap the environment in Commanded"):
        play(CommandOptions(), attempt((1,), feedback))
