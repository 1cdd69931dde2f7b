"""Bit flips and the key to the door: their rules, by hand, and their rows in the hindsight benchmark."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from benchmarks.hindsight import worlds
from benchmarks.hindsight.bit_flip import BitFlip

from backsight.environments.gymnasium import GymnasiumEnvironment
from backsight.policies.distributions import CategoricalHead
from backsight.policies.module import ModulePolicy


@pytest.fixture(autouse=True)
def _threads():
    """Rows confine torch to one thread; other tests get theirs back."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def bits_to_flip(env: BitFlip) -> list[int]:
    return np.flatnonzero(env.bits != env.goal).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_flipping_the_bits_that_differ_reaches_the_goal(seed: int) -> None:
    env = BitFlip(6)
    env.reset(seed=seed)
    todo = bits_to_flip(env)
    steps = [env.step(np.int64(bit)) for bit in todo]
    assert [reward for _, reward, *_ in steps] == [-1.0] * (len(todo) - 1) + [0.0]
    assert [(terminated, truncated) for _, _, terminated, truncated, _ in steps[:-1]] == [(False, False)] * (
        len(todo) - 1
    )
    assert steps[-1][2:4] == (True, False)


def test_an_episode_has_as_many_flips_as_bits() -> None:
    env = BitFlip(4)
    env.reset(seed=0)
    kept = next(bit for bit in range(4) if bit in bits_to_flip(env))
    other = (kept + 1) % 4
    steps = [env.step(np.int64(other)) for _ in range(4)]  # the bit that matters is never flipped
    assert [(reward, terminated, truncated) for _, reward, terminated, truncated, _ in steps] == [
        (-1.0, False, False),
        (-1.0, False, False),
        (-1.0, False, False),
        (-1.0, False, True),
    ]


def test_no_episode_starts_at_its_goal() -> None:
    env = BitFlip(1)  # where half of all draws would
    for seed in range(20):
        env.reset(seed=seed)
        assert bits_to_flip(env) == [0]


def test_compute_reward_says_what_step_paid() -> None:
    env = BitFlip(3)
    for seed in range(10):
        env.reset(seed=seed)
        is_over = False
        while not is_over:
            state, reward, terminated, truncated, info = env.step(env.np_random.integers(3))
            assert reward == env.compute_reward(state["achieved_goal"], state["desired_goal"], info)
            is_over = terminated or truncated


def test_what_was_observed_does_not_change_later() -> None:
    env = BitFlip(3)
    first, _ = env.reset(seed=0)
    kept = first["observation"].copy()
    env.step(np.int64(0))
    assert np.array_equal(first["observation"], kept)


def test_the_policy_for_bits_reads_each_bit_with_its_goal() -> None:
    """The same weights for all: what stands at two bits decides their logits, not which bits they are."""
    env = GymnasiumEnvironment(BitFlip(3))
    goal, bits = np.array([1, 0, 1], np.int8), np.array([0, 1, 0], np.int8)
    state = env.flat_observation({"observation": bits, "achieved_goal": bits, "desired_goal": goal})
    module = worlds.SameForEveryBit(3)
    observations_1D = torch.from_numpy(state)[None]
    assert len(set(module(observations_1D)[0].tolist())) == 1  # nothing is known yet
    with torch.no_grad():
        module.layers[0].weight.copy_(torch.tensor([0.0, 1, 2]).expand(32, 3))
        module.layers[0].bias.zero_()
        module.layers[2].weight.fill_(1 / 32)
        module.layers[2].bias.zero_()
    logits = module(observations_1D)[0].tolist()
    assert logits == pytest.approx([1, 2, 1])  # the goal, and twice the bit


@pytest.mark.parametrize(("takes", "treasure"), [((1, 1), 0.2), ((1, 0), 0.0), ((0, 1), 0.0), ((0, 0), 0.0)])
@pytest.mark.parametrize("takes_apples", [0, 1])
def test_only_key_and_door_decide_what_is_paid(takes: tuple[int, int], treasure: float, takes_apples: int) -> None:
    env = worlds.KeyToDoor(46)  # twice 23: everything is worth half
    env.reset(seed=0)
    actions = [takes[0], *[takes_apples] * 44, takes[1]]
    apples = env.belt.apples
    steps = [env.step(action) for action in actions]
    assert set(apples) == {0.0, 0.05, 0.45}
    assert [reward for _, reward, *_ in steps] == pytest.approx([*apples[:-1], treasure / 2])
    assert steps[-1][2] and steps[-1][4] == {"success": treasure > 0}
    assert not any(terminated or truncated for _, _, terminated, truncated, _ in steps[:-1])


def test_the_chance_of_the_treasure_is_that_of_the_key_times_that_of_the_door() -> None:
    env = GymnasiumEnvironment(worlds.KeyToDoor(3))
    module = torch.nn.Linear(5, 2, bias=False)
    torch.nn.init.zeros_(module.weight)
    policy = ModulePolicy(module, CategoricalHead((2,)), env.sample_observations(2))
    with torch.no_grad():
        module.weight[1] = torch.tensor([3.0, 9, 1, 2, 9]).log()  # key 3 : 1; door 1 · 2 : 1; what else there is, 9
    assert worlds.measure_chance(3, policy) == pytest.approx(3 / 4 * 2 / 3)
    with torch.no_grad():
        module.weight[1] = torch.tensor([50.0, 0, 50, 0, 0])
    assert worlds.measure_chance(3, policy) == pytest.approx(1)


def test_rows_have_names_of_their_own() -> None:
    names = [row.key for row in worlds.ROWS]
    assert len(set(names)) == len(names) == 2 * 2 + 3 * 4
    assert ("bit flips, module policy", "n=30", "relabel") in names
    assert ("key to door", "length 103", "cocoa") in names


@pytest.mark.parametrize("method", worlds.BIT_FLIP_METHODS)
def test_a_quick_row_gives_a_curve(method: str) -> None:
    curve = worlds.learn_bit_flips(method, 2, 0, True)
    assert curve.attempts == [0, 32, 64, 96, 100]
    assert len(curve.scores) == len(curve.attempts)
    assert all(0 <= score <= 1 for score in curve.scores)
    assert curve.seconds > 0


@pytest.mark.parametrize("method", worlds.DOOR_METHODS)
def test_a_quick_row_of_the_door_gives_a_curve(method: str) -> None:
    curve = worlds.learn_key_to_door(method, 3, 0, True)
    assert curve.attempts == [0, *range(32, 400, 32), 400]
    assert all(0 < score < 1 for score in curve.scores)
    assert curve.scores[0] != curve.final


def test_the_same_seed_gives_the_same_curve() -> None:
    one, other = (worlds.learn_key_to_door("cocoa", 3, 1, True) for _ in range(2))
    assert (one.attempts, one.scores) == (other.attempts, other.scores)
