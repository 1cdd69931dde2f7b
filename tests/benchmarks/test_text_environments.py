"""The environments in words of the hindsight benchmark: their rules, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.hindsight import text_environments as worlds

from backsight.environments.text import TextEpisode
from backsight.types import Action, Feedback


def play(world: Any, words: str, seed: int = 0) -> tuple[list[float], Feedback]:
    """Rewards of the turns, and what was revealed."""
    episode = TextEpisode(world, seed, max_turns=len(words.split()), memory=0)
    episode.reset()
    results = [episode.step(Action((1,), torch.zeros(1), f" {word}")) for word in words.split()]
    return [result.reward for result in results], results[-1].feedback


def test_the_way_over_the_lake() -> None:
    rewards, feedback = play(worlds.FrozenLake(), "down down right down right right")
    assert rewards == [0, 0, 0, 0, 0, 1]
    assert (feedback.success, feedback.text, feedback.achieved_prompts) == (True, None, None)


def test_a_fall_is_told_and_nothing_is_achieved_by_it() -> None:
    rewards, feedback = play(worlds.FrozenLake(), "right down")
    assert rewards == [0, 0]
    assert (feedback.success, feedback.text) == (False, "fell into a hole at (1,1)")
    assert feedback.achieved_prompts is None


def test_a_walk_on_the_ice_achieves_where_it_ended() -> None:
    _, feedback = play(worlds.FrozenLake(), "right up right")
    assert feedback.achieved_prompts is not None
    assert feedback.achieved_prompts[0] == "P . G .\n. H . H\n. . . H\nH . . .\nmove:"
    assert feedback.achieved_prompts[2] == ". P G .\n. H . H\n. . . H\nH . . .\nmove:"


@pytest.mark.parametrize("words", ["up", "right left"])
def test_a_walk_that_ends_where_it_had_been_achieves_nothing(words: str) -> None:
    assert play(worlds.FrozenLake(), words)[1].achieved_prompts is None


def test_what_is_no_move_is_told() -> None:
    _, feedback = play(worlds.FrozenLake(), "fly down")
    assert feedback.text == "that is no move; say up, down, left or right"


def test_potentials_of_the_lake_are_minus_the_way_left() -> None:
    lake = worlds.FrozenLake()
    _, info = lake.reset(seed=0)
    assert info["potential"] == -6 / 12  # 16 cells, of which 4 are holes
    _, _, _, _, info = lake.step("down")
    assert info["potential"] == -5 / 12


def solve(world: worlds.FrozenLake | worlds.Sokoban, seed: int) -> int:
    """Take a shortest way; return the number of moves it took."""
    world.reset(seed=seed)
    moves, reward, is_over = 0, 0.0, False
    while not is_over:
        _, reward, is_over, _, _ = world.step(min(worlds.MOVES, key=world.count_moves_after))
        moves += 1
    assert reward == 1
    return moves


def test_every_seed_can_be_solved() -> None:
    for seed in range(30):
        assert solve(worlds.FrozenLake(None), seed) >= 6
        assert solve(worlds.Sokoban(), seed) >= 3


def test_the_same_seed_is_the_same_world() -> None:
    for make in (lambda: worlds.FrozenLake(None), worlds.Sokoban, worlds.KeyToDoor):
        assert make().reset(seed=3) == make().reset(seed=3)
    starts = {worlds.Sokoban().reset(seed=seed)[0] for seed in range(20)}
    assert len(starts) > 15


def room() -> Any:
    """P . . / . B . / . . T: right behind the box there is room on every side."""
    sokoban = worlds.Sokoban(size=4, walls=0)
    sokoban.reset(seed=0)
    sokoban.player, sokoban.box, sokoban.target = (1, 0), (1, 1), (1, 3)
    sokoban.far = sokoban._count_moves_left()
    sokoban.states = [(sokoban.player, sokoban.box)]
    return sokoban


def test_a_box_is_pushed_to_its_target() -> None:
    sokoban = room()
    drawing, reward, is_over, _, info = sokoban.step("right")
    assert drawing == ". . . .\n. P B T\n. . . .\n. . . .\nmove:"
    assert (reward, is_over, info["success"]) == (0, False, False)
    _, reward, is_over, _, info = sokoban.step("right")
    assert (reward, is_over, info["success"], info["potential"]) == (1, True, True, 0)


def test_a_box_that_cannot_come_back_ends_the_episode_and_achieves_where_it_is() -> None:
    sokoban = room()
    for word in ("down", "right"):
        sokoban.step(word)
    _, reward, is_over, _, info = sokoban.step("up")
    assert (reward, is_over, info["success"]) == (0, True, False)
    assert info["feedback"] == "pushed the box to (0,1), from where it cannot get to the target"
    assert sokoban.achieved([]) is not None
    assert sokoban.achieved([])[0] == ". T . .\nP B . .\n. . . .\n. . . .\nmove:"


def test_only_a_push_achieves_something() -> None:
    sokoban = room()
    sokoban.step("right")
    sokoban.step("left")
    assert sokoban.achieved([]) is None


def belt(apples: list[float], words: str) -> list[float]:
    """Rewards on a belt with these apples."""
    world = worlds.KeyToDoor(len(apples) + 2)
    world.reset(seed=0)
    world.belt.apples = [0.0, *apples, 0.0]
    return [world.step(word)[1] for word in words.split()]


def test_the_door_opens_to_those_who_took_the_key() -> None:
    scale = 23 / 4
    assert belt([0.5, 0.0], "take leave leave take") == [0, 0, 0, 0.2 * scale]
    assert belt([0.5, 0.0], "take take take leave") == [0, 0.5, 0, 0]
    assert belt([0.5, 0.0], "leave take take take") == [0, 0.5, 0, 0]


def test_a_belt_in_words() -> None:
    world = worlds.KeyToDoor(23)
    observation, _ = world.reset(seed=0)
    assert observation == "place 1 of 23, without key\nhere: key\nact:"
    observation, _, _, _, info = world.step(" take")
    assert observation.startswith("place 2 of 23, with key\n")
    assert info["potential"] == pytest.approx(0.2)
    _, feedback = play(worlds.KeyToDoor(3), "leave take take")
    assert (feedback.success, feedback.outcome) == (False, "the door stayed shut: there was no key")


def test_apples_of_long_and_short_belts_are_worth_the_same() -> None:
    """22 places with an apple at 0.8, each worth 0.5 on average: about 8.4 of 21; the treasure is 0.2."""
    for length in (23, 103):
        totals = []
        for seed in range(100):
            world = worlds.KeyToDoor(length)
            world.reset(seed=seed)
            totals.append(sum(world.belt.apples))
        assert np.mean(totals) == pytest.approx(0.8 * 0.5 * 23 * (length - 2) / length, rel=0.1)


def test_a_belt_for_arrays() -> None:
    world = worlds.KeyToDoorArrays(4)
    observation, _ = world.reset(seed=1)
    assert world.observation_space.contains(observation)
    assert observation.tolist() == [1, 0, 0, 0, 0, 0]
    observation, reward, is_over, _, _ = world.step(1)
    assert observation[:5].tolist() == [0, 1, 0, 0, 1]
    assert (reward, is_over) == (0, False)
    world.step(0)
    world.step(0)
    observation, reward, is_over, _, info = world.step(1)
    assert (reward, is_over, info) == (pytest.approx(0.2 * 23 / 4), True, {"success": True})
    assert world.observation_space.contains(observation)


def test_a_belt_needs_three_places() -> None:
    with pytest.raises(ValueError, match="length=2"):
        worlds.KeyToDoor(2)
