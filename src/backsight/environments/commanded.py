"""`Commanded`: an environment whose observation says how much to earn, and in how many steps.

Place: the prompt. Revealed: the return that was earned from each step on, and the steps that it took. Source: upside
down reinforcement learning (Schmidhuber 2019, arXiv:1912.02875; Srivastava 2019, arXiv:1912.02877).

An episode that earned something else than commanded is, in hindsight, just what another command would have asked for:
at step t of S, the return-to-go Σ_{k≥t} r_k within S - t steps. That is what `achieved` reveals, and what the method
`command` learns from.

At reset the command is a little better than the best of late: the mean and one standard deviation of their returns (of
which the source draws a part at random) in their mean number of steps. At each step what was earned is taken off, and
one step with it.

When not to use it: where luck decides the return, since what one commands was then never in one's hands. Rewards are
those paid at once; a `hindsight_reward` inside would see observations with the command, so wrap the judge around this.
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
    """Observations are a dictionary of `command`, (2,) return and steps times `scale`, and the `observation`.

    What it has learnt of past episodes lasts as long as the object; a run that is resumed starts with the command zero.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], recent: int = 100, best: int = 25, scale: float = 0.02) -> None:
        """Of the newest `recent` episodes the `best` set the command.

        Raises:
            ConfigError: one of them is not above zero.
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
        if self.rewards:  # whoever plays may have ended the episode, so it is known to be over only now
            self.episodes.append((sum(self.rewards), len(self.rewards)))
        self.rewards = []
        self.wanted, self.steps_left = self.next_command()
        observation, info = self.env.reset(**options)
        return self._commanded(observation), info

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.rewards.append(float(reward))
        self.wanted, self.steps_left = self.wanted - float(reward), max(1.0, self.steps_left - 1)
        return self._commanded(observation), float(reward), terminated, truncated, info

    def next_command(self) -> tuple[float, float]:
        """The return and the steps that the next episode is asked for; zero and one when nothing was played."""
        best = sorted(self.episodes, reverse=True)[: self.best]
        if not best:
            return 0.0, 1.0
        returns = [each for each, _ in best]
        steps = [float(each) for _, each in best]
        return statistics.fmean(returns) + statistics.pstdev(returns), statistics.fmean(steps)

    def achieved(self, transitions: Sequence[tuple[Any, Any, Any]]) -> list[dict[str, Any]]:
        """(S,) the observations of the episode just played, with the command that it fulfilled."""
        return [
            {**state, "command": self._command(sum(self.rewards[step:]), len(self.rewards) - step)}
            for step, (state, _, _) in enumerate(transitions)
        ]

    def _commanded(self, observation: Any) -> dict[str, Any]:
        return {"command": self._command(self.wanted, self.steps_left), "observation": observation}

    def _command(self, wanted: float, steps: float) -> NDArray[np.float32]:
        return np.array([wanted, steps], np.float32) * np.float32(self.scale)
