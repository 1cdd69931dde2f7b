"""Rows of the hindsight benchmark on FrozenLake and Sokoban in words: tiny language models from scratch.

Both worlds were made easier, for all methods alike, since a tiny model finds too few goals by chance otherwise: eight
places each, learnt and tested on; lakes with a fifth of holes; rooms that are solved in 2 to 4 moves. The warm-up
shows random moves that lead on, none of them against an edge or a wall. The score is the share of sampled attempts that
succeed: with eight places, greedy ones would move in eighths.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from backsight.environments.episodes import EpisodesTask
from backsight.hindsight.advantage.hcapo import INTRODUCTION
from backsight.hindsight.hints import Hints
from backsight.tasks.base import Item
from backsight.types import Feedback, Sampling
from benchmarks.hindsight.curve import QUICK, Curve, Row, learn, warm_up
from benchmarks.hindsight.tasks import GeneratedTask, Sizes, compare_symbols, make_learner
from benchmarks.hindsight.text_environments import MOVES, FrozenLake, Sokoban

METHODS: Mapping[str, Any] = {
    "outcome": "outcome",
    "graph_hca": {"name": "graph_hca", "change": "value"},
    "graph_hca, logarithms": "graph_hca",
    "hcapo": "hcapo",
    "gigpo": "gigpo",
    "relabel": "relabel",
}
SETTINGS: Mapping[str, Any] = {
    "prompts_per_step": 8,
    "num_generations": 16,
    "mini_batches": 4,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "linear",
    "entropy_coef": 0.05,
    "discount": 0.95,
}
"""Settings of all methods. With less entropy, hard places are given up before they were ever solved (docs/log.md)."""


@dataclass(frozen=True, slots=True)
class World:
    """A world, of which a few places are learnt and tested."""

    make: Callable[[], FrozenLake | Sokoban]
    size: str
    places: Sequence[int]
    """The seeds of both training and test: what is asked is how soon they are known."""
    max_turns: int
    attempts: int
    walks: int = 1000
    """Number of walks in the warm-up."""

    @property
    def task(self) -> EpisodesTask:
        seeds = {"train": self.places, "test": self.places}
        return EpisodesTask(self.make, seeds=seeds, max_turns=self.max_turns, memory=0)


EASY_LAKES = (0, 1, 2, 4, 5, 6, 10, 14)
"""Seeds of lakes that random moves which lead on cross in at least one of twenty tries."""
WORLDS = {
    "FrozenLake": World(partial(FrozenLake, None, hole_share=0.2), "4x4", EASY_LAKES, max_turns=16, attempts=7_680),
    "Sokoban": World(partial(Sokoban, min_moves=2, max_moves=4), "5x5", range(8), max_turns=16, attempts=7_680),
}

Walk = tuple[list[tuple[str, str]], str]
"""Observations with the moves that were drawn there, and what came of the walk."""


class RandomMoves(GeneratedTask):
    """Say a move that leads on, any of them: nothing is learnt about where to go.

    Half of the walks are told how they will end, in the words of `hcapo`.
    """

    name = "random_moves"
    sampling = Sampling(max_completion_length=1)
    extra_words = (" ".join(MOVES), "P Q B T G H . # move:", "stands at the box is at (0,1) (2,3) (4,4)", INTRODUCTION)

    def __init__(self, world: World, seed: int) -> None:
        rng = random.Random(f"random moves {seed}")
        walks = [walk(world, rng) for _ in range(world.walks)]
        items = [item for number, own in enumerate(walks) for item in _make_items(number, own)]
        rng.shuffle(items)
        super().__init__({"train": items, "test": items[:64]})

    def judge(self, item: Item, completion: str) -> Feedback:
        return compare_symbols(self.name, [str(item.target)], completion.split()[:1] or [""])


def walk(world: World, rng: random.Random) -> Walk:
    """Walk by random moves, none of them against an edge or a wall."""
    place = world.make()
    observation, info = place.reset(seed=rng.choice(world.places))
    steps: list[tuple[str, str]] = []
    is_over = False
    while not is_over and len(steps) < world.max_turns:
        move = rng.choice([word for word in MOVES if place.leads_on(word)])
        steps.append((observation, move))
        observation, _, is_over, _, info = place.step(move)
    return steps, info["outcome"]


def _make_items(number: int, own: Walk) -> Iterator[Item]:
    steps, outcome = own
    for turn, (observation, move) in enumerate(steps):
        prompt = Hints().with_text(observation, INTRODUCTION + outcome) if number % 2 else observation
        yield Item(f"{number}-{turn}", prompt, move)


def learn_world(
    method: Any,
    name: str,
    seed: int,
    attempts: int,
    *,
    sizes: Sizes | None = None,
    warm_steps: int = 200,
    **settings: Any,
) -> Curve:
    """Learn a world from a policy that says moves which lead somewhere, each as often as the others."""
    world = WORLDS[name]
    moves = RandomMoves(world, seed)
    policy = make_learner(moves.words, sizes or Sizes(), seed)
    warm = warm_up(policy, moves, seed, steps=warm_steps, prompts_per_step=64)
    settings = {**SETTINGS, **settings}
    return learn(warm, world.task, method, attempts, seed, score=None, max_completion_length=1, **settings)


def _run(method: str, name: str, seed: int, quick: bool) -> Curve:
    return learn_world(METHODS[method], name, seed, WORLDS[name].attempts // (QUICK if quick else 1))


ROWS: list[Row] = [
    Row(name, world.size, method, partial(_run, method, name))
    for name, world in WORLDS.items()
    for method in (METHODS if name == "FrozenLake" else ("outcome", "graph_hca", "hcapo"))  # rooms take twice as long
]
