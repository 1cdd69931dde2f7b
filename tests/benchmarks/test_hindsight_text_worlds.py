"""The two worlds in words of the hindsight benchmark: their rows, and what the policy is taught before."""

import random
from dataclasses import replace

import pytest
from benchmarks.hindsight.tasks import Sizes
from benchmarks.hindsight.text_environments import MOVES, FrozenLake, Sokoban
from benchmarks.hindsight.text_worlds import METHODS, ROWS, WORLDS, RandomMoves, learn_world, walk

TINY = Sizes(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
EVERY_WORLD = pytest.mark.parametrize("name", WORLDS)


def test_rows_have_names_of_their_own() -> None:
    names = [row.key for row in ROWS]
    assert len(set(names)) == len(names) == len(METHODS) + 3
    assert {(row.task, row.size) for row in ROWS} == {("FrozenLake", "4x4"), ("Sokoban", "5x5")}


@EVERY_WORLD
def test_the_warm_up_teaches_only_moves_that_lead_on(name: str) -> None:
    world = replace(WORLDS[name], places=[3])
    steps, _ = walk(world, random.Random(0))
    place = world.make()
    observation, _ = place.reset(seed=3)
    for seen, move in steps:
        assert seen == observation
        observation, *_ = place.step(move)
        assert observation != seen


@EVERY_WORLD
def test_the_warm_up_says_every_move_and_of_half_the_walks_how_they_end(name: str) -> None:
    items = RandomMoves(replace(WORLDS[name], walks=20), seed=0).items("train")
    assert {item.target for item in items} == set(MOVES)
    told = [str(item.prompt).startswith("How it ended: ") for item in items]
    assert 0 < sum(told) < len(told)


def test_which_moves_lead_on() -> None:
    lake = FrozenLake()
    lake.reset(seed=0)
    assert [word for word in MOVES if lake.leads_on(word)] == ["down", "right"]
    room = Sokoban(size=3, walls=0, min_moves=1)
    room.reset(seed=0)
    room.player, room.box = (0, 0), (0, 1)
    assert [word for word in MOVES if room.leads_on(word)] == ["down", "right"]
    room.player, room.box = (0, 1), (0, 2)
    assert [word for word in MOVES if room.leads_on(word)] == ["down", "left"]  # the box is against the edge


def test_rooms_take_as_many_moves_as_were_asked_for() -> None:
    for seed in range(10):
        room = Sokoban(min_moves=3, max_moves=5)
        room.reset(seed=seed)
        assert 3 <= room.far[room.player, room.box] <= 5


@EVERY_WORLD
@pytest.mark.parametrize("method", METHODS)
def test_a_tiny_row_gives_a_curve(name: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = replace(WORLDS[name], places=range(2), max_turns=3, walks=4)
    monkeypatch.setitem(WORLDS, name, tiny)
    curve = learn_world(
        METHODS[method], name, seed=0, attempts=16, sizes=TINY, warm_steps=1, prompts_per_step=2, num_generations=4
    )
    assert curve.attempts == [8, 16]  # the share of those sampled since the last look that succeeded
    assert all(0 <= score <= 1 for score in curve.scores)
