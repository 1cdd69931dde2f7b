"""Credit from a model of past actions, on worlds small enough to know the answer."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from unit.hindsight.fakes import FakeScorer, group_of

from backsight.hindsight.base import Hindsight
from backsight.hindsight.cocoa import Cocoa
from backsight.hindsight.hca import HCA
from backsight.types import Action, Feedback, Group, Step, Trajectory

EVEN = float(np.log(0.5))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A second one only waits, with networks as small as these."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def walk(states: Sequence[int], actions: Sequence[int], rewards: Sequence[float], num_states: int) -> Trajectory:
    """One-hot observations, and actions that a fair coin chose."""
    observations = np.eye(num_states, dtype=np.float32)[list(states)]
    steps = [
        Step(observation, Action(np.array([action]), torch.tensor([EVEN])), reward)
        for observation, action, reward in zip(observations, actions, rewards, strict=True)
    ]
    return Trajectory("start", tuple(steps), Feedback())


def fitted(method: Hindsight, group: Group, times: int = 3) -> list[torch.Tensor]:
    for _ in range(times):
        method.fit([group], FakeScorer())
    (revalued,) = method.revalue([group], FakeScorer())
    return list(revalued.advantages)


def conveyor() -> list[Trajectory]:
    """Action 1 takes the key at the first place, and an apple (0.3) at the next three; who has the key earns 1.

    All that a fair coin may do, each once, so that what is seen is what is expected.
    """
    return [
        walk(range(5), actions, [0.0, *(0.3 * each for each in actions[1:4]), float(actions[0])], 5)
        for actions in itertools.product((0, 1), repeat=5)
    ]


def test_cocoa_credits_the_key_with_the_treasure_and_the_apples_with_nothing_else() -> None:
    group = group_of(*conveyor())
    credit_NS = torch.stack(fitted(Cocoa(hidden_size=64, num_updates=100), group))
    rewards_NS = torch.tensor([each.rewards for each in group.trajectories])
    took_key_N = rewards_NS[:, 4] == 1
    # 1 - π/h = 1 - 0.5/1 of a treasure of 1; apples say nothing of the key
    assert torch.allclose(credit_NS[:, 0], 0.5 * took_key_N, atol=0.1)
    # an apple is worth itself, whatever comes later
    assert torch.allclose(credit_NS[:, 1:], rewards_NS[:, 1:], atol=0.15)


def test_cocoa_discounts_what_comes_later() -> None:
    group = group_of(*(walk([0, 1, 1], [a, 0, 0], [0, 0, a], 2) for a in (0, 1)))
    left, took = fitted(Cocoa(0.5, hidden_size=64, num_updates=100), group)
    assert left.tolist() == [0, 0, 0]
    # h = 1 at the first step, and at the second, where what was taken was the same each time: 1 - 0.5/1 for both
    assert took.tolist() == pytest.approx([0.25 * 0.5, 0.5 * 0.5, 1.0], abs=0.02)


def test_hca_tells_a_return_that_was_chosen_from_one_that_was_drawn() -> None:
    chosen = [walk([0], [a], [float(a)], 2) for a in (0, 1)]
    drawn = [walk([1], [a], [float(z)], 2) for a, z in itertools.product((0, 1), repeat=2)]
    credit_N = torch.cat(fitted(HCA(hidden_size=64, num_updates=100), group_of(*chosen, *drawn)))
    # h(1 | x, Z = 1) = 1 where it was chosen: (1 - 0.5/1)·1; h = π where it was drawn; a return of 0 has none to give
    assert credit_N.tolist() == pytest.approx([0.0, 0.5, 0, 0, 0, 0], abs=0.15)


def test_hca_credits_what_led_to_the_state_of_a_reward() -> None:
    choices = list(itertools.product((0, 1), repeat=2))
    # the first action decides the next state, 1 or 2; only 2 is rewarded, whatever is done there
    group = group_of(*(walk([0, 1 + a], [a, b], [0.0, float(a)], 3) for a, b in choices))
    credit_NS = torch.stack(fitted(HCA("state", 0.5, hidden_size=64, num_updates=100), group))
    went_N = torch.tensor([float(a) for a, _ in choices])
    assert torch.allclose(credit_NS[:, 0], 0.5 * 0.5 * went_N, atol=0.05)
    assert torch.equal(credit_NS[:, 1], went_N)


@pytest.mark.parametrize("method", [HCA, Cocoa])
def test_the_model_resumes_to_the_same_bits_and_disturbs_no_generator(method: type[HCA] | type[Cocoa]) -> None:
    group = group_of(*conveyor()[:4], conveyor()[-1])
    whole, resumed = method(num_updates=2), method(num_updates=2)
    generator = torch.random.get_rng_state()
    fitted(whole, group, times=2)
    resumed.load_state(whole.state())
    assert all(map(torch.equal, fitted(whole, group), fitted(resumed, group)))
    assert whole.state().keys() == resumed.state().keys()
    assert torch.equal(generator, torch.random.get_rng_state())


def test_a_method_that_has_seen_nothing_has_no_state_and_gives_no_credit() -> None:
    method = Cocoa()
    nothing = group_of(walk([0, 1], [0, 1], [0.0, 0.0], 2))
    assert [each.tolist() for each in fitted(method, nothing)] == [[0.0, 0.0]]
    assert method.state() == {}
    method.load_state({})


def test_attempts_are_judged_by_what_was_known_before_them() -> None:
    method = HCA(hidden_size=64, num_updates=100)
    by_chance = group_of(walk([0], [1], [1.0], 2), walk([0], [1], [1.0], 2))
    assert [float(each) for each in fitted(method, by_chance, times=1)] == [0.0, 0.0]
    assert all(float(each) > 0.2 for each in fitted(method, by_chance, times=1))


def test_the_policys_own_preferences_get_no_credit() -> None:
    likely = FakeScorer(log_prob=lambda asked: torch.full((1,), np.log((0.1, 0.9)[int(asked[1][0].item())])))
    # 9 of 10 do what the policy prefers, and all earn the same: nothing came of what was done
    group = group_of(*(walk([0], [action], [1.0], 2) for action in [1] * 9 + [0]))
    method = HCA(hidden_size=64, num_updates=100)
    for _ in range(2):
        method.fit([group], likely)
    (revalued,) = method.revalue([group], likely)
    assert torch.cat(list(revalued.advantages)).tolist() == pytest.approx([0.0] * 10, abs=0.15)


def test_an_action_that_was_never_seen_starts_the_model_over() -> None:
    method = HCA(num_updates=1)
    fitted(method, group_of(walk([0], [0], [1.0], 2)), times=1)
    assert method.model.num_actions == 1
    fitted(method, group_of(walk([0], [3], [1.0], 2)), times=1)
    assert method.model.num_actions == 4
    fitted(method, group_of(walk([0], [1], [1.0], 2)), times=1)
    assert method.model.num_actions == 4
