"""Rows of the hindsight benchmark on arrays: bit flips, and a key that pays at a far door.

Settings were chosen with seed 0. Those of the policy are the same for all methods of a task, but for RUDDER's discount.
A row takes less than a minute on one thread, to which it confines torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gymnasium
import torch
from torch import Tensor, nn

from backsight.environments.gymnasium import GymnasiumEnvironment, GymnasiumEpisode
from backsight.feedback.environment import EnvironmentFeedback
from backsight.hindsight.advantage.options import CocoaOptions, HCAOptions
from backsight.hindsight.options import MethodOptions, OutcomeOptions
from backsight.hindsight.prompt.options import RelabelOptions
from backsight.hindsight.reward.options import RudderOptions
from backsight.policies.distributions import CategoricalHead
from backsight.policies.module import ModulePolicy
from backsight.rollouts.collect import collect
from backsight.rollouts.engines import engine_for
from backsight.seeds import derive_seed
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.progress import Progress
from backsight.training.trainer import EpisodeSource, Trainer
from backsight.types import Sampling
from benchmarks.hindsight.bit_flip import BitFlip
from benchmarks.hindsight.curve import QUICK, Curve, Row
from benchmarks.hindsight.text_environments import Conveyor, KeyToDoorArrays

World = Callable[[], gymnasium.Env[Any, Any]]

LOOKS = 10
"""Number of evaluations on the way."""
TESTS = 100
"""Number of test episodes in an evaluation."""
DOOR_EPISODES = 4000
LONGEST = 1000
"""Number of steps at which an episode is cut off; these worlds end by themselves before."""


class SameForEveryBit(nn.Module):
    """Tells the logit of a flip from what is known of that bit alone, with the same weights for all bits.

    A plain network with one hidden layer of 256 learns 8 bits by HER, but not 30 within 5000 episodes. At first all
    flips are alike: of networks with random weights, every sixth or so would know the way before it has learnt.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n
        self.layers = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 1))
        nn.init.zeros_(self.layers[2].weight)

    def forward(self, observations_ND: Tensor) -> Tensor:
        bits_N3n = observations_ND.unflatten(1, (3, self.n))  # achieved, desired, observed
        logits_Nn: Tensor = self.layers(bits_N3n.transpose(1, 2)).squeeze(-1)
        return logits_Nn


class ApplesForAll(Conveyor):
    """The belt on which an apple pays whatever one does, so that only key and door can be learnt.

    COCOA's has to be taken. Then REINFORCE does not fall behind here: "take" pays nearly everywhere, and who has the
    key has become somebody who takes more apples, which is worth more than the treasure.
    """

    def act(self, takes: bool) -> float:
        apple = 0.0 if takes else self.apples[self.place]
        return apple + super().act(takes)


class KeyToDoor(KeyToDoorArrays):
    """The belt of `ApplesForAll`, for arrays."""

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.belt = ApplesForAll(length)


def learn_in(
    world: World,
    module: nn.Module,
    method: MethodOptions,
    score: Callable[[ModulePolicy], float],
    episodes: int,
    seed: int,
    **settings: Any,
) -> Curve:
    """Train the module with REINFORCE and the method for so many episodes; `settings` are those of the trainer."""
    torch.set_num_threads(1)
    started = time.monotonic()
    example = GymnasiumEnvironment(world())
    assert example.action_sizes is not None
    policy = ModulePolicy(module, CategoricalHead(example.action_sizes), example.sample_observations(8))
    steps = -(-episodes // settings["prompts_per_step"])
    config = TrainingConfig(
        stop=StopConfig(max_attempts=episodes),
        algorithm="reinforce",
        num_generations=1,
        micro_batch_size=2**20,
        eval_steps=max(1, steps // LOOKS),
        seed=seed,
        **settings,
    )
    curve = Curve([], [])

    def look(progress: Progress) -> float:
        curve.attempts.append(progress.attempts)
        curve.scores.append(score(policy))
        return curve.final

    starts = _draw_starts(seed, "train", episodes)
    source = EpisodeSource(engine_for(policy), make_episodes(world), starts, EnvironmentFeedback())
    trainer = Trainer(policy, source, method.build(), config, evaluate=look)
    look(trainer.progress)
    trainer.train()
    if curve.attempts[-1] < trainer.progress.attempts:
        look(trainer.progress)
    return Curve(curve.attempts, curve.scores, time.monotonic() - started)


def make_episodes(world: World) -> Callable[[int], GymnasiumEpisode]:
    """Return a function from a start to an episode, each in a world of its own: they run side by side."""
    return lambda start: GymnasiumEpisode(GymnasiumEnvironment(world()), start, LONGEST)


def measure_endings(world: World, seed: int, policy: ModulePolicy) -> float:
    """Return the share of test episodes in which the greedy policy gets to the end before it is stopped."""
    starts = _draw_starts(seed, "test", TESTS)
    groups = collect(engine_for(policy), make_episodes(world), starts, 1, Sampling(temperature=0), seed)
    return sum(group.trajectories[0].steps[-1].terminated for _, group in groups) / TESTS


@torch.no_grad()
def measure_chance(length: int, policy: ModulePolicy) -> float:
    """Return the chance that the policy, as it samples, takes the key, times that it then opens the door.

    It sees the same at these two places in every episode, so this is what a share of test episodes would tend to.
    """
    at_key, at_door = 0, 1
    seen_2D = torch.zeros(2, length + 2)
    seen_2D[at_key, 0] = 1
    seen_2D[at_door, length - 1] = seen_2D[at_door, length] = 1  # the last place, with the key
    takes_2 = policy.module(seen_2D).softmax(-1)[:, 1]
    return float(takes_2.prod())


def learn_bit_flips(method: str, n: int, seed: int, quick: bool) -> Curve:
    """Learn to flip the bits that differ from the goal."""
    world = partial(BitFlip, n)
    return learn_in(
        world,
        _make_module(seed, partial(SameForEveryBit, n)),
        BIT_FLIP_METHODS[method],
        partial(measure_endings, world, seed),
        1000 // (QUICK if quick else 1),
        seed,
        prompts_per_step=32,
        mini_batches=8,
        learning_rate=3e-3,
    )


def learn_key_to_door(method: str, length: int, seed: int, quick: bool) -> Curve:
    """Train a linear policy: the chances at the key are learnt from what is done there, and nowhere else.

    RUDDER's rewards are paid where they are earned, so that nothing is left to come: its discount is 0, as in its
    source. Undiscounted, they would add up to the same return for the key as before.
    """
    return learn_in(
        partial(KeyToDoor, length),
        _make_module(seed, partial(nn.Linear, length + 2, 2, bias=False)),
        DOOR_METHODS[method],
        partial(measure_chance, length),
        DOOR_EPISODES // (QUICK if quick else 1),
        seed,
        prompts_per_step=32,
        learning_rate=0.05,
        lr_scheduler_type="linear",
        discount=0.0 if method == "rudder" else 1.0,
    )


def _make_module(seed: int, make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        return make()


def _draw_starts(seed: int, purpose: str, count: int) -> list[int]:
    return [derive_seed(seed, purpose, number) % 2**31 for number in range(count)]


BIT_FLIP_METHODS: Mapping[str, MethodOptions] = {
    "outcome": OutcomeOptions(),
    "relabel": RelabelOptions(strategy="future"),
}
DOOR_METHODS: Mapping[str, MethodOptions] = {
    "outcome": OutcomeOptions(),
    # slower than by default; what it gets wrong of the apples may still outweigh the treasure
    "cocoa": CocoaOptions(hidden_size=32, learning_rate=3e-4, num_updates=30),
    "hca": HCAOptions(hidden_size=32, learning_rate=3e-4, num_updates=30),
    # the treasure is a twentieth to an eighth of the noise of the apples: it takes so many returns to see it at all
    "rudder": RudderOptions(lessons=DOOR_EPISODES, first_lessons=1500),
}


ROWS = [
    *(
        Row("bit flips, module policy", f"n={n}", method, partial(learn_bit_flips, method, n))
        for n in (8, 30)
        for method in BIT_FLIP_METHODS
    ),
    *(
        Row("key to door", f"length {length}", method, partial(learn_key_to_door, method, length))
        for length in (23, 63, 103)
        for method in DOOR_METHODS
    ),
]
