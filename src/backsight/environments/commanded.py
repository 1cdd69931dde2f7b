"""`Commanded`: an environment whose observation holds a command, how much to earn and in how many steps.

Place: the prompt. Revealed: the return that was earned from each step on, and the steps that it took. Source: upside
down reinforcement learning (Schmidhuber 2019, arXiv:1912.02875; Srivastava 2019, arXiv:1912.02877).

An episode that earned another return than commanded is, in hindsight, what another command would have asked for: at
step t of an episode of S steps, the return-to-go Σ_{k≥t} r_k within S - t steps. `achieved` reveals these commands, and
the method `command` learns from them.

At reset, the command asks for a little more than the best recent episodes earned: the mean and one standard deviation
of their returns (of which the source draws a part at random) in their mean number of steps. Each step takes what was
earned off the return, and one off the number of steps.

When not to use it: where luck decides the return, which the policy cannot bring about then. Rewards are those that the
environment paid at once; a `hindsight_reward` inside this wrapper would see observations with the command, so put a
wrapper that judges around this one.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from backsight.errors import ConfigError


class Commanded(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A wrapper whose observation is a dictionary: `command`, return and steps times `scale`, (2,), and `observation`.

    Past episodes are remembered as long as the object lasts; a run that is resumed starts with none.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], recent: int = 100, best: int = 25, scale: float = 0.02) -> None:
        """Wrap `env`. Of the newest `recent` episodes, the `best` set the command.

        Raises:
            ConfigError: when `recent`, `best` or `scale` is not above zero.
        """
        for name, value in (("recent", recent), ("best", best), ("scale", scale)):
            if not value > 0:
                raise ConfigError(name, value, "has to be above 0")
        super().__init__(env)
        command = spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.observation_space = spaces.Dict(command=command, observation=env.observation_space)
        self.episodes: deque[tuple[float, int]] = deque(maxlen=recent)
        self.best, self.scale = best, scale
        self.rewards: list[float] = []

    def reset(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        if self.rewards:  # the caller may have cut the episode off, so its end is known only now
            self.episodes.append((sum(self.rewards), len(self.rewards)))
        self.rewards = []
        self.wanted, self.steps_left = self.next_command()
        observation, info = self.env.reset(**options)
        return self._add_command(observation), info

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.rewards.append(float(reward))
        self.wanted, self.steps_left = self.wanted - float(reward), max(1.0, self.steps_left - 1)
        return self._add_command(observation), float(reward), terminated, truncated, info

    def next_command(self) -> tuple[float, float]:
        """Return what the next episode has to earn, and in how many steps; 0 and 1 before any episode."""
        best = sorted(self.episodes, reverse=True)[: self.best]
        if not best:
            return 0.0, 1.0
        returns = [each for each, _ in best]
        steps = [float(each) for _, each in best]
        return statistics.fmean(returns) + statistics.pstdev(returns), statistics.fmean(steps)

    def achieved(self, transitions: Sequence[tuple[Any, Any, Any]]) -> list[dict[str, Any]]:
        """Return the observations of the episode just played, each with the command that it fulfilled, (S,)."""
        return [
            {**state, "command": self._command(sum(self.rewards[step:]), len(self.rewards) - step)}
            for step, (state, _, _) in enumerate(transitions)
        ]

    def _add_command(self, observation: Any) -> dict[str, Any]:
        return {"command": self._command(self.wanted, self.steps_left), "observation": observation}

    def _command(self, wanted: float, steps: float) -> NDArray[np.float32]:
        return np.array([wanted, steps], np.float32) * np.float32(self.scale)
