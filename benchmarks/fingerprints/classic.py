"""The fixed runs of the textbook call: a pole, and bits to flip with goals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import nn

import backsight
from backsight.environments.commanded import Commanded
from backsight.hindsight.advantage.options import CocoaOptions, HCAOptions
from backsight.hindsight.options import MethodOptions
from backsight.hindsight.prompt.options import CommandOptions, RelabelOptions
from backsight.hindsight.reward.options import RudderOptions

NUM_BITS = 5


class BitFlip(gymnasium.Env[Any, Any]):
    """Every action flips one bit, until the bits are as asked."""

    def __init__(self) -> None:
        bits = gymnasium.spaces.MultiBinary(NUM_BITS)
        self.observation_space = gymnasium.spaces.Dict(observation=bits, achieved_goal=bits, desired_goal=bits)
        self.action_space = gymnasium.spaces.Discrete(NUM_BITS)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        self.bits, self.goal = self.np_random.integers(2, size=(2, NUM_BITS)).astype(np.int8)
        return self._observation(), {}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        self.bits[action] ^= 1
        done = bool((self.bits == self.goal).all())
        return self._observation(), float(done) - 1, done, False, {}

    def compute_reward(self, achieved: Any, desired: Any, info: Any) -> float:
        return float((np.asarray(achieved) == desired).all()) - 1

    def _observation(self) -> dict[str, Any]:
        return {"observation": self.bits.copy(), "achieved_goal": self.bits.copy(), "desired_goal": self.goal}


def make_pole() -> gymnasium.Env[Any, Any]:
    return gymnasium.make("CartPole-v1")


def make_commanded() -> gymnasium.Env[Any, Any]:
    return Commanded(make_pole())


Run = tuple[Callable[[], gymnasium.Env[Any, Any]], int, int, MethodOptions | None]
"""The environment, numbers in and out of the model, and the method; None is the call's own."""

RUNS: dict[str, Run] = {
    "classic": (make_pole, 4, 2, None),
    "classic, goals": (BitFlip, 15, 5, None),
    "classic, goals on the way": (BitFlip, 15, 5, RelabelOptions(strategy="future")),
    "classic, hca": (make_pole, 4, 2, HCAOptions(num_updates=5)),
    "classic, cocoa": (make_pole, 4, 2, CocoaOptions(num_updates=5)),
    "classic, rudder": (make_pole, 4, 2, RudderOptions(first_lessons=8, updates=3)),
    "classic, command": (make_commanded, 6, 2, CommandOptions()),
}


def train_module(name: str) -> tuple[dict[str, torch.Tensor], list[float]]:
    """Train a small module; returns its weights and the returns of its episodes."""
    make_env, inputs, outputs, method = RUNS[name]
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, outputs))
    result = backsight.rlhf_finetune(model, make_env(), 30, 40, 0.01, seed=1, hindsight=method)
    return model.state_dict(), result.episode_returns
