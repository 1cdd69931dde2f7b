"""HER's bit flips as a Gymnasium environment with goals: every action flips one bit, until the bits are as asked."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

Bits = NDArray[np.int8]
State = dict[str, Bits]


class BitFlip(gymnasium.Env[State, np.int64]):
    """A random state of `n` bits, and another one that has to be reached in `n` flips at most.

    A step pays -1 until the bits are those of the goal, then 0, and the episode ends. That reward says nothing of how
    near the goal is: one state in ``2 ** n`` is told from the others.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        bits = spaces.MultiBinary(n)
        self.observation_space = spaces.Dict({"observation": bits, "achieved_goal": bits, "desired_goal": bits})
        self.action_space = spaces.Discrete(n)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[State, dict[str, Any]]:
        super().reset(seed=seed)
        self.bits, self.goal = self.np_random.integers(2, size=(2, self.n), dtype=np.int8)
        if np.array_equal(self.bits, self.goal):  # else nothing would be asked
            self.goal[0] ^= 1
        self.num_flips = 0
        return self._observe(), {}

    def step(self, action: np.int64) -> tuple[State, float, bool, bool, dict[str, Any]]:
        self.bits[action] ^= 1
        self.num_flips += 1
        reward = self.compute_reward(self.bits, self.goal, {})
        is_reached = reward == 0
        return self._observe(), reward, is_reached, self.num_flips == self.n and not is_reached, {}

    def compute_reward(self, achieved: Bits, desired: Bits, info: dict[str, Any]) -> float:
        return float(np.array_equal(achieved, desired)) - 1

    def _observe(self) -> State:
        return {"observation": self.bits.copy(), "achieved_goal": self.bits.copy(), "desired_goal": self.goal.copy()}
