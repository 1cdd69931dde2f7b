"""Steps paid the change of a potential."""

import math
from dataclasses import replace

import pytest
import torch
from unit.hindsight.fakes import ByStep, FakeScorer, change_groups, group_of, make_rows, numbered_episode

from backsight.errors import ConfigError, RewardError
from backsight.estimators.advantages import discounted_returns
from backsight.hindsight.reward.options import ShapingOptions
from backsight.hindsight.reward.shaping import Shaping
from backsight.types import Feedback, Group


def test_each_step_is_paid_the_change_of_the_potential() -> None:
    one = numbered_episode([0, 0, 0], [0.0, 1.0, 2.0], potentials=[4.0, 6.0, 10.0])
    (shaped,) = change_groups(ShapingOptions(), group_of(one), scorer=FakeScorer(discount=0.5))
    # 0 + 0.5·6 - 4,  1 + 0.5·10 - 6,  2 + 0.5·0 - 10
    assert shaped.trajectories[0].rewards == [-1.0, 0.0, -8.0]


@pytest.mark.parametrize("discount", [1.0, 0.9])
@pytest.mark.parametrize("is_cut_off", [False, True])
def test_returns_differ_by_the_potential_of_their_state_alone(discount: float, is_cut_off: bool) -> None:
    potentials = [3.0, -2.0, 0.5, 7.0]
    one = numbered_episode([0] * 4, [1.0, 0.0, -1.0, 2.0], potentials=potentials, feedback=Feedback(reward=5.0))
    if is_cut_off:
        last = one.steps[-1]
        cut = replace(last, terminated=False, truncated=True)
        one = replace(one, steps=(*one.steps[:-1], cut))
    (shaped,) = change_groups(ShapingOptions(), group_of(one), scorer=FakeScorer(discount=discount))
    before = discounted_returns(one.rewards, discount)
    after = discounted_returns(shaped.trajectories[0].rewards, discount)
    torch.testing.assert_close(after, before - torch.tensor(potentials))


def test_siblings_compared_by_whole_returns_stay_as_they_were() -> None:
    """All start in the same state, so that all lose the same."""
    one = numbered_episode([0, 0], [0.0, 1.0], potentials=[2.0, 5.0])
    other = numbered_episode([1, 0], [0.0, 0.0], potentials=[2.0, -3.0])
    group = group_of(one, other)
    (shaped,) = change_groups(ShapingOptions(), group)
    assert [each.tolist() for each in shaped.advantages] == [each.tolist() for each in group.advantages]


def test_steps_are_told_apart_where_the_estimator_does() -> None:
    """The first step decides, and the second has nothing to do with it: its advantage fades."""
    good = numbered_episode([1, 0], [0.0, 1.0], potentials=[0.0, 1.0])
    bad = numbered_episode([0, 0], [0.0, 0.0], potentials=[0.0, 0.0])
    (shaped,) = change_groups(ShapingOptions(), group_of(good, bad), scorer=ByStep())
    # to go (1, 0) and (0, 0); less the means (0.5, 0); the deviation is sqrt((0.25 + 0 + 0.25 + 0)/4)
    torch.testing.assert_close(shaped.advantages[0], torch.tensor([0.5, 0.0]) / math.sqrt(0.125))


def test_a_potential_that_is_given_reads_the_observation() -> None:
    one = numbered_episode([0, 0], [0.0, 0.0])
    method = Shaping(ShapingOptions(), potential=lambda observation: float(observation[0]) + 1)
    (shaped,) = change_groups(method, group_of(one), scorer=ByStep())
    assert shaped.trajectories[0].rewards == [1.0, -2.0]


def test_rewards_judged_in_hindsight_are_shaped_and_not_those_paid() -> None:
    one = numbered_episode([0, 0], [9.0, 9.0], potentials=[1.0, 2.0], feedback=Feedback(step_rewards=(0.0, 0.0)))
    (shaped,) = change_groups(ShapingOptions(), group_of(one))
    assert shaped.trajectories[0].rewards == [1.0, -2.0]


def test_a_step_without_a_potential_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"step\.potential: None: put 'potential' into the info"):
        change_groups(ShapingOptions(), group_of(numbered_episode([0], [1.0])))


def test_a_potential_is_a_finite_number() -> None:
    with pytest.raises(RewardError, match=r"step\.potential"):
        change_groups(ShapingOptions(), group_of(numbered_episode([0], [1.0], potentials=[math.inf])))


@pytest.mark.parametrize("groups", [[], [Group("start")]])
def test_nothing_to_shape(groups: list[Group]) -> None:
    assert make_rows(ShapingOptions(), *groups) == []
