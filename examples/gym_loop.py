"""The four steps of the method in one file: a network learns to reach goals in a Gymnasium environment.

    python examples/gym_loop.py

The environment is the one that hindsight experience replay was invented for: a row of bits, one of which is flipped by
each action, until the row is the one that was asked for (Andrychowicz 2017, arXiv:1707.01495, section 3.1). A reward is
so rare that plain reinforcement learning hardly finds one. Hindsight sees more: each episode reached some row, and
would have been right had that been the goal. The loop uses backsight's policies, engines, estimators, losses and
methods, but not its trainer, so that you can read every step and change it. It takes half a minute on a CPU.
"""

import copy
from collections.abc import Sequence

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from backsight.environments.gymnasium import GymnasiumEnvironment, GymnasiumEpisode
from backsight.estimators.advantages import discounted_returns, reinforce
from backsight.feedback.environment import EnvironmentFeedback
from backsight.hindsight.base import Hindsight, spread_over_decisions
from backsight.hindsight.options import OutcomeOptions
from backsight.hindsight.prompt.options import RelabelOptions
from backsight.losses.policy_gradient import LossBounds, LossInputs, clip
from backsight.losses.targets import imitation
from backsight.policies.distributions import CategoricalHead
from backsight.policies.module import ModulePolicy
from backsight.rollouts.base import Engine
from backsight.rollouts.collect import collect
from backsight.rollouts.engines import engine_for
from backsight.types import Example, Group, Sampling, Trajectory

BITS = 8
STEPS, EPISODES_PER_STEP, PASSES = 120, 32, 4
DISCOUNT = 0.98


class BitFlip(gym.Env):
    """Flip bits until they are the ones that were asked for; every step costs one point."""

    action_space = spaces.Discrete(BITS)
    bits = spaces.MultiBinary(BITS)
    observation_space = spaces.Dict({"observation": bits, "achieved_goal": bits, "desired_goal": bits})

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state, self.goal = self.np_random.integers(0, 2, (2, BITS), dtype=np.int8)
        self.num_steps = 0
        return self.observe(), {}

    def step(self, action):
        self.state[action] ^= 1
        self.num_steps += 1
        reward = self.compute_reward(self.state, self.goal, {})
        return self.observe(), reward, reward == 0, self.num_steps >= BITS, {}

    def observe(self):
        return {"observation": self.state.copy(), "achieved_goal": self.state.copy(), "desired_goal": self.goal}

    def compute_reward(self, achieved, desired, info):
        return 0.0 if (achieved == desired).all() else -1.0


def play(engine: Engine, environment: GymnasiumEnvironment, seeds: Sequence[int], sampling: Sampling) -> list[Group]:
    """1. Act: play one episode from each seed."""

    def episode(seed: int) -> GymnasiumEpisode:
        return GymnasiumEpisode(environment, seed, max_steps=BITS)

    groups = collect(engine, episode, seeds, 1, sampling, seed=seeds[0], side_by_side=1)
    return [group for _, group in groups]


def reveal(groups: Sequence[Group]) -> list[Trajectory]:
    """2. See the rewards, and what the episode would have looked like had the goal been what was achieved."""
    trajectories = [trajectory for group in groups for trajectory in group.trajectories]
    feedback = EnvironmentFeedback()(trajectories, range(len(trajectories)))
    return [each.with_feedback(said) for each, said in zip(trajectories, feedback, strict=True)]


def estimate(trajectories: Sequence[Trajectory]) -> list[Group]:
    """3a. Compare what each step led to with the mean of the batch: advantages, one for each action."""
    returns = [[discounted_returns(each.rewards, DISCOUNT)] for each in trajectories]
    return [
        Group(each.start, (each,), (spread_over_decisions(advantages, each),))
        for each, (advantages,) in zip(trajectories, reinforce(returns), strict=True)
    ]


def loss_of(policy: ModulePolicy, examples: Sequence[Example]) -> Tensor:
    """4a. Compute the clipped policy gradient on what was done plus the imitation of what was relabelled, each averaged
    over its own actions."""
    log_probs = policy.log_probs(examples).log_probs_N.split([each.num_decisions for each in examples])
    acted, imitated = [], []
    for own, example in zip(log_probs, examples, strict=True):
        if example.advantages is not None and example.behaviour_log_probs is not None:
            inputs = LossInputs(own, example.behaviour_log_probs, example.advantages, [len(own)])
            acted.append(clip(inputs, LossBounds()).losses_N)
        if example.imitation_weights is not None:
            imitated.append(imitation(own) * example.imitation_weights)
    return sum((torch.cat(part).mean() for part in (acted, imitated) if part), torch.zeros(()))


class Room:
    """What methods may ask of the policy, as far as it is needed here: it can read every observation."""

    def fits(self, prompts: object, response: object = None) -> bool:
        return True


def train(network: nn.Module, method: Hindsight, steps: int = STEPS) -> float:
    """Repeat the four steps; return the share of goals that are reached."""
    environment = GymnasiumEnvironment(BitFlip())
    policy = ModulePolicy(network, CategoricalHead((BITS,)), environment.sample_observations(16))
    engine = engine_for(policy)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for step in range(steps):
        seeds = range(step * EPISODES_PER_STEP, (step + 1) * EPISODES_PER_STEP)
        groups = estimate(reveal(play(engine, environment, seeds, Sampling())))
        # 3b. The method reads what was revealed. These two ask of the policy only whether it can read an observation.
        examples = method.look_back(groups, scorer=Room()).examples  # type: ignore[arg-type]
        for _ in range(PASSES):
            optimizer.zero_grad()
            loss_of(policy, examples).backward()
            optimizer.step()
    return success(engine, environment)


def success(engine: Engine, environment: GymnasiumEnvironment) -> float:
    """Return the share of 200 new goals that the most likely actions reach."""
    groups = play(engine, environment, range(10**6, 10**6 + 200), Sampling(temperature=0))
    return sum(group.trajectories[0].steps[-1].terminated for group in groups) / len(groups)


def main() -> None:
    """Train the same network with and without hindsight, and print what came of it."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # to share out such small work takes longer than to do it
    network = nn.Sequential(nn.Linear(3 * BITS, 128), nn.ReLU(), nn.Linear(128, BITS))
    print(f"plain RL              {train(copy.deepcopy(network), OutcomeOptions().build()):6.1%} of the goals reached")
    print(f"hindsight (relabel)   {train(copy.deepcopy(network), RelabelOptions().build()):6.1%}")


if __name__ == "__main__":
    main()
