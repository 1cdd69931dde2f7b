"""A small edition of `examples/cartpole.py`: a fifth of the episodes, half as long."""

from typing import Any

import gymnasium as gym
import pytest
import torch
from torch import nn

from backsight import rlhf_finetune


class Upright(gym.Wrapper):
    """Judges each step by how upright the pole was after it."""

    def hindsight_reward(self, state: Any, action: int, next_state: Any) -> float:
        return 1.0 - abs(float(next_state[2])) / 0.21


@pytest.mark.parametrize("wrapped", [lambda env: env, Upright], ids=["returns", "hindsight"])
def test_a_pole_learns_to_stand(wrapped: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Linear(128, 2), nn.Softmax(-1))
    result = rlhf_finetune(model, wrapped(gym.make("CartPole-v1")), 200, 100, 0.01)
    first, last = sum(result.episode_returns[:20]) / 20, sum(result.episode_returns[-40:]) / 40
    assert first < 35, "nothing learnt yet"
    assert last > 85, f"of 100, from {first}"
