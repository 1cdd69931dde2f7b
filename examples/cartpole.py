"""The textbook listing of fine-tuning with hindsight feedback, solved: balance a pole, judged after the fall.

    python examples/cartpole.py

The network, the environment and the call are the ones of the listing. CartPole-v1, stopped after 200 steps, counts as
solved when the last 100 of 1000 episodes last 195 steps on average. Exits with 1 when a seed does not get there.
"""

import sys
import time

import gymnasium as gym
import numpy as np
import torch
from torch import nn

from backsight import rlhf_finetune

SOLVED = 195.0
SEEDS = range(5)


class PolicyNetwork(nn.Module):
    """State in, probability of each action out."""

    def __init__(self, state_size: int, num_actions: int, hidden_size: int = 128) -> None:
        super().__init__()
        self.hidden = nn.Linear(state_size, hidden_size)
        self.output = nn.Linear(hidden_size, num_actions)

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.output(torch.relu(self.hidden(state))), dim=-1)


class CartPole(gym.Wrapper):
    """The environment, with an opinion on each step that it gives when the episode is over."""

    def __init__(self) -> None:
        super().__init__(gym.make("CartPole-v1"))

    def hindsight_reward(self, state: np.ndarray, action: int, next_state: np.ndarray) -> float:
        """The nearer to the middle of the track and the more upright, the better."""
        position, _, angle, _ = next_state
        return 1.0 - 0.5 * abs(position) / 2.4 - 0.5 * abs(angle) / 0.21


def main() -> int:
    means = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        started = time.monotonic()
        model = PolicyNetwork(state_size=4, num_actions=2)
        result = rlhf_finetune(model, CartPole(), num_episodes=1000, num_steps=200, learning_rate=0.01, seed=seed)
        means.append(sum(result.episode_returns[-100:]) / 100)
        seconds = time.monotonic() - started
        print(f"seed {seed}: mean of the last 100 episodes {means[-1]:.1f}, {seconds:.0f} s", flush=True)
    is_solved = min(means) >= SOLVED
    print(f"{'solved' if is_solved else 'not solved'}: lowest mean {min(means):.1f}, {SOLVED:.0f} needed")
    return 0 if is_solved else 1


if __name__ == "__main__":
    sys.exit(main())
