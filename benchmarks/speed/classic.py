"""The classic row of the speed benchmark: CartPole-v1 with the textbook call and with stable-baselines3's PPO.

    python -m benchmarks.speed.classic backsight|stable_baselines3 SEED MAX_STEPS

Both train two hidden layers of 64 on the environment with its own cap of 500 steps, PPO with its defaults.
The clock runs from the first reset until the last 100 training episodes earn 475 on average, where Gymnasium holds the
problem for solved; then training stops. At MAX_STEPS it stops unsolved.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import gymnasium
from rich.console import Console
from rich.table import Table

from backsight.errors import RewardError
from benchmarks.shared.results import Figure
from benchmarks.speed.children import report, run_child

WINDOW = 100
SOLVED = 475.0
EPISODE_STEPS = 500
NUM_EPISODES = 1000
LEARNING_RATE = 0.01
AIM = 1.0


class Finished(Exception):
    """The pole is balanced, or the steps are used up."""


class Clock(gymnasium.Wrapper):
    """Counts steps and watches the returns; ends the training from within, so that both libraries end alike."""

    def __init__(self, max_steps: int) -> None:
        super().__init__(gymnasium.make("CartPole-v1"))
        self.max_steps, self.steps, self.episode_return = max_steps, 0, 0.0
        self.returns: deque[float] = deque(maxlen=WINDOW)
        self.started: float | None = None

    @property
    def is_solved(self) -> bool:
        return len(self.returns) == WINDOW and sum(self.returns) >= SOLVED * WINDOW

    @property
    def is_finished(self) -> bool:
        return self.is_solved or self.steps >= self.max_steps

    def reset(self, **options: Any) -> Any:
        if self.started is None:
            self.started = time.perf_counter()
        return super().reset(**options)

    def step(self, action: Any) -> Any:
        observation, reward, terminated, truncated, info = super().step(action)
        self.steps += 1
        self.episode_return += float(reward)
        if terminated or truncated:
            self.returns.append(self.episode_return)
            self.episode_return = 0.0
        if self.is_finished:
            raise Finished
        return observation, reward, terminated, truncated, info


def train_backsight(environment: Clock, seed: int) -> None:
    """Train by the textbook call, with a module of the same shape as the other library's policy."""
    import torch
    from torch import nn

    import backsight

    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))
    backsight.rlhf_finetune(model, environment, NUM_EPISODES, EPISODE_STEPS, LEARNING_RATE, seed=seed)


def train_stable_baselines3(environment: Clock, seed: int) -> None:
    """Train by PPO with its defaults."""
    from stable_baselines3 import PPO

    PPO("MlpPolicy", environment, seed=seed, device="cpu").learn(environment.max_steps)


LIBRARIES: dict[str, Callable[[Clock, int], None]] = {
    "backsight": train_backsight,
    "stable_baselines3": train_stable_baselines3,
}


@dataclass(frozen=True, slots=True)
class Training:
    """One training, until it was solved or the steps were used up."""

    steps: int
    seconds: float
    is_solved: bool

    @property
    def rate(self) -> float:
        return self.steps / self.seconds


def train(library: str, seed: int, max_steps: int) -> Training:
    """Train in this process."""
    environment = Clock(max_steps)
    try:
        LIBRARIES[library](environment, seed)
    except (Finished, RewardError):  # backsight says by an error of its own that the environment raised one
        if not environment.is_finished:
            raise
    assert environment.started is not None, "no episode was begun"
    return Training(environment.steps, time.perf_counter() - environment.started, environment.is_solved)


def compare_classic(console: Console, pairs: int, max_steps: int) -> list[Figure]:
    """Train in turn, each in a fresh process, and compare within each pair."""
    trainings: dict[str, list[Training]] = {library: [] for library in LIBRARIES}
    for seed in range(pairs):
        for library, done in trainings.items():
            done.append(Training(**run_child("classic", library, str(seed), str(max_steps))))
    table = Table("classic", "steps a second", "seconds", "solved")
    for library, done in trainings.items():
        rate, seconds = median(each.rate for each in done), median(each.seconds for each in done)
        table.add_row(library, f"{rate:,.0f}", f"{seconds:.1f}", f"{sum(each.is_solved for each in done)} of {pairs}")
    console.print(table)
    own, other = trainings.values()
    both = list(zip(own, other, strict=True))
    ratios = {"steps a second": [mine.rate / theirs.rate for mine, theirs in both]}
    if any(each.is_solved for each in (*own, *other)):
        # 0 where backsight did not solve it; where only the other library did not, it is at least so many times faster
        ratios["time until solved"] = [
            theirs.seconds / mine.seconds if mine.is_solved else 0.0 for mine, theirs in both
        ]
    figures = [
        Figure.of_repeats(f"classic, {name}: speed", values, "times stable-baselines3's").hold_against(">=", AIM)
        for name, values in ratios.items()
    ]
    for library, done in trainings.items():
        rates, seconds = [each.rate for each in done], [each.seconds for each in done]
        figures.append(Figure.of_repeats(f"classic: rate, {library}", rates, "steps a second"))
        figures.append(Figure.of_repeats(f"classic: time, {library}", seconds, "seconds until solved or stopped"))
    return figures


if __name__ == "__main__":
    report(train(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
