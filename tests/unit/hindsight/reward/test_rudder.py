"""Rewards paid where they could be seen coming."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from unit.hindsight.fakes import (
    ByStep,
    FakeScorer,
    attempt,
    change_groups,
    group_of,
    make_rows,
    numbered_episode,
)

from backsight.hindsight.reward.options import RudderOptions
from backsight.hindsight.reward.rudder import redistribute
from backsight.types import Action, Feedback, Group, PartialCompletion, Step, Trajectory

pytestmark = pytest.mark.usefixtures("one_thread")


def pay_late(seed: int, count: int = 16, length: int = 4) -> list[Group]:
    """The second action decides what is paid at the end."""
    random = np.random.default_rng(seed)
    trajectories = []
    for actions in random.integers(0, 2, (count, length)):
        trajectories.append(numbered_episode(actions, [0.0] * (length - 1) + [float(actions[1])]))
    return [group_of(*trajectories, start=0)]


def test_differences_of_predictions_and_an_even_residual() -> None:
    # changes 1, 2, -1; the return 5 is 3 more than the last prediction, 1 for each
    rewards = redistribute(torch.tensor([1.0, 3.0, 2.0], dtype=torch.float64), 5.0)
    assert rewards.tolist() == [2.0, 3.0, 0.0]


def test_the_sum_is_kept_exactly_whatever_is_predicted() -> None:
    group = group_of(
        numbered_episode([0, 1, 1], [1.0, 0.0, 2.5]),
        numbered_episode([1], [-3.0], feedback=Feedback(reward=0.25)),
        numbered_episode([1, 0], [9.0, 9.0], feedback=Feedback(step_rewards=(0.0, 1.0), reward=1.0)),
    )
    method = RudderOptions(updates=2, first_lessons=1).build()
    change_groups(method, group, scorer=ByStep())
    (repaid,) = change_groups(method, group, scorer=ByStep())
    assert [sum(each.rewards) for each in repaid.trajectories] == pytest.approx([3.5, -2.75, 2.0], abs=1e-12)
    assert [each.feedback.reward for each in repaid.trajectories] == [None, 0.25, 1.0]


def test_before_enough_is_known_rewards_stay_as_they_were_paid() -> None:
    group = group_of(numbered_episode([0, 1], [0.0, 1.0]), numbered_episode([1, 1], [2.0, 0.0]))
    method = RudderOptions(updates=1, first_lessons=4).build()
    assert change_groups(method, group, scorer=ByStep()) == [group]
    assert change_groups(method, group, scorer=ByStep()) == [group]
    # four were seen before
    (repaid,) = change_groups(method, group, scorer=ByStep())
    assert repaid.trajectories[0].rewards != [0.0, 1.0]


def test_the_step_that_decided_is_paid() -> None:
    method = RudderOptions(updates=40, learning_rate=1e-2).build()
    for seed in range(8):
        change_groups(method, *pay_late(seed), scorer=ByStep())
    (repaid,) = change_groups(method, *pay_late(99), scorer=ByStep())
    rewards = torch.tensor([each.rewards for each in repaid.trajectories])
    decided = torch.tensor([bool(each.responses[1][0]) for each in repaid.trajectories])
    paid_S = rewards[decided].mean(0) - rewards[~decided].mean(0)
    assert paid_S[1] > 0.8
    assert paid_S[[0, 2, 3]].abs().max() < 0.2


def test_tokens_of_a_completion_are_credited_one_by_one() -> None:
    def answers(seed: int) -> list[Group]:
        tokens = np.random.default_rng(seed).integers(40, 42, (16, 4)).tolist()
        return [group_of(*(attempt(each, Feedback(reward=float(each[2] == 41))) for each in tokens))]

    method, scorer = RudderOptions(updates=40, learning_rate=1e-2).build(), FakeScorer()
    for seed in range(8):
        change_groups(method, *answers(seed), scorer=scorer)
    (group,) = change_groups(method, *answers(99), scorer=scorer)
    advantages = torch.stack(list(group.advantages))
    is_right = torch.tensor([each.responses[0][2] == 41 for each in group.trajectories])
    torch.testing.assert_close(advantages[:, 0], is_right.float() - is_right.float().mean())
    # what came before the deciding token is as likely to end well as badly, what comes after changes nothing
    assert (advantages[is_right, 2] > 0.2).all()
    assert (advantages[~is_right, 2] < -0.2).all()
    assert advantages[:, 3].abs().max() < 0.2


def test_equal_returns_without_anything_learnt_say_nothing() -> None:
    group = group_of(attempt((1, 2)), attempt((3, 4)))
    rows = make_rows(RudderOptions(), group)
    assert [each.advantages.tolist() for each in rows if each.advantages is not None] == [[0.0, 0.0], [0.0, 0.0]]


def test_siblings_of_different_lengths() -> None:
    group = group_of(attempt((1,), Feedback(reward=1.0)), attempt((2, 3, 4), Feedback(reward=0.0)))
    rows = make_rows(RudderOptions(updates=1), group)
    assert [row.num_decisions for row in rows] == [1, 3]
    assert all(row.advantages is not None and bool(row.advantages.isfinite().all()) for row in rows)


def test_dialogues_are_read_turn_by_turn() -> None:
    turns = [
        Step("hello", Action((5, 6), torch.zeros(2))),
        Step([{"role": "user", "content": "go on"}], Action((7,), torch.zeros(1))),
        Step(PartialCompletion("end", (9, 9)), Action((8, 8, 8), torch.zeros(3)), terminated=True),
    ]
    one = Trajectory("start", tuple(turns), Feedback(reward=2.0))
    method, groups = RudderOptions(updates=1).build(), [group_of(one)]
    change_groups(method, *groups)
    (repaid,) = change_groups(method, *groups)
    assert len(repaid.trajectories[0].rewards) == 3
    assert sum(repaid.trajectories[0].rewards) == pytest.approx(2.0, abs=1e-12)


def test_what_was_learnt_is_saved_to_the_last_bit() -> None:
    one = RudderOptions(lessons=20, updates=3).build()
    change_groups(one, *pay_late(0), scorer=ByStep())
    saved = {name: tensor.clone() for name, tensor in one.state().items()}
    other = RudderOptions(lessons=20, updates=3).build()
    other.load_state(saved)
    for method in (one, other):
        change_groups(method, *pay_late(1), scorer=ByStep())
    assert one.state().keys() == other.state().keys()
    assert all(torch.equal(tensor, other.state()[name]) for name, tensor in one.state().items())
    assert len(one.state()["totals"]) == 20


def test_a_state_of_nothing() -> None:
    fresh = RudderOptions().build()
    fresh.load_state(RudderOptions().build().state())
    assert fresh.state() == {}


def test_torchs_own_random_state_is_left_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    change_groups(RudderOptions(updates=2), *pay_late(0), scorer=ByStep())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("groups", [[], [Group("start")]])
def test_nothing_to_redistribute(groups: list[Group]) -> None:
    assert make_rows(RudderOptions(), *groups) == []


def test_episodes_are_judged_before_they_are_learnt() -> None:
    """A predictor that had seen them would find in each step what a coin paid at the end."""
    method = RudderOptions(updates=40, learning_rate=1e-2, first_lessons=1).build()
    change_groups(method, *pay_late(0), scorer=ByStep())
    before = copy.deepcopy(method)
    (repaid,) = change_groups(method, *pay_late(1), scorer=ByStep())
    (again,) = change_groups(before, *pay_late(1), scorer=ByStep())
    assert [each.rewards for each in repaid.trajectories] == [each.rewards for each in again.trajectories]
    flipped = [
        replace(each, steps=(*each.steps[:-1], replace(each.steps[-1], reward=1 - (each.steps[-1].reward or 0.0))))
        for each in pay_late(2)[0].trajectories
    ]
    one, other = copy.deepcopy(method), copy.deepcopy(method)
    (asked,) = change_groups(one, *pay_late(2), scorer=ByStep())
    (turned,) = change_groups(other, group_of(*flipped, start=0), scorer=ByStep())
    changes = torch.tensor([each.rewards for each in asked.trajectories]).diff()
    # what is paid differs by an even residual alone, since the predictions do not know the end
    torch.testing.assert_close(changes, torch.tensor([each.rewards for each in turned.trajectories]).diff())
