"""Commands in the observation: what is asked for, and what turns out to have been fulfilled."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from backsight.environments.commanded import Commanded
from backsight.environments.gymnasium import GymnasiumEnvironment, GymnasiumEpisode
from backsight.errors import ConfigError
from backsight.types import Action, Feedback


class Pays(gym.Env):
    """Pays what is done, and ends when nothing is."""

    observation_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
    action_space = spaces.Discrete(4)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.ones(1, np.float32), float(action), action == 0, False, {}


def play(env: Commanded, actions: list[int], max_steps: int = 10) -> tuple[list[list[float]], Feedback]:
    episode = GymnasiumEpisode(GymnasiumEnvironment(env), 0, max_steps)
    observed = [episode.reset()]
    for action in actions:
        result = episode.step(Action(np.array([action]), torch.zeros(1)))
        observed.append(result.observation)
    return [each.tolist() for each in observed], result.feedback


def test_what_was_earned_is_the_command_that_was_fulfilled() -> None:
    _, feedback = play(Commanded(Pays(), scale=1.0), [3, 1, 0])
    assert feedback.achieved_prompts is not None
    # return to go, steps left, and what the environment itself shows
    assert [each.tolist() for each in feedback.achieved_prompts] == [[4, 3, 0], [1, 2, 1], [0, 1, 1]]


def test_an_episode_that_the_cap_ended_counts_as_it_was() -> None:
    _, feedback = play(Commanded(Pays(), scale=1.0), [2, 2], max_steps=2)
    assert feedback.achieved_prompts is not None
    assert [each.tolist()[:2] for each in feedback.achieved_prompts] == [[4, 2], [2, 1]]


def test_the_next_command_is_a_little_better_than_the_best() -> None:
    env = Commanded(Pays(), recent=3, best=2, scale=1.0)
    observed, _ = play(env, [0])
    assert observed[0][:2] == [0, 1], "nothing is known yet"
    for actions in ([3, 3, 0], [1, 0], [2, 2, 2, 2], [0]):
        play(env, actions, max_steps=4)
    # the last one is known to be over only when the next one starts
    assert [earned for earned, _ in env.episodes] == [6.0, 1.0, 8.0]
    observed, _ = play(env, [3, 0])
    # the newest earned 1, 8 and 0; the best two of them took 2 and 4 steps: 4.5 + 3.5, and 3
    assert observed[0][:2] == [8, 3]
    # what was earned and the step are taken off
    assert observed[1][:2] == [5, 2]


def test_there_is_always_a_step_left() -> None:
    observed, _ = play(Commanded(Pays(), scale=1.0), [1, 1, 0])
    assert [each[1] for each in observed] == [1, 1, 1, 1]


def test_commands_are_scaled() -> None:
    _, feedback = play(Commanded(Pays(), scale=0.5), [3, 0])
    assert feedback.achieved_prompts is not None and feedback.achieved_prompts[0].tolist() == [1.5, 1.0, 0.0]


@pytest.mark.parametrize("options", [{"recent": 0}, {"best": 0}, {"scale": 0.0}])
def test_a_number_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(options))}: 0.*above 0"):
        Commanded(Pays(), **options)
