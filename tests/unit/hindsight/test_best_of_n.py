"""Rejection sampling: which attempts of a group are imitated."""

from dataclasses import replace

import pytest
import torch
from unit.hindsight.fakes import FakeScorer, attempt, group_of

from backsight.hindsight.best_of_n import BestOfN
from backsight.hindsight.composition import Chain
from backsight.hindsight.outcome import Outcome
from backsight.types import Example, Feedback, Group, Trajectory


def earning(reward: float, success: bool | None = None, token: int = 7, cut_off: bool = False) -> Trajectory:
    made = attempt((token, 8), Feedback(reward=reward, success=success))
    return replace(made, steps=(replace(made.steps[0], terminated=not cut_off, truncated=cut_off),))


def looked_back(method: BestOfN, *attempts: Trajectory) -> list[Example]:
    return method([group_of(*attempts)], FakeScorer())


def chosen(method: BestOfN, *attempts: Trajectory) -> list[int]:
    """Which of them are imitated, the best first."""
    numbers = {id(each): number for number, each in enumerate(attempts)}
    return [numbers[id(each.trajectory)] for each in looked_back(method, *attempts)]


def test_the_best_attempt_is_imitated_under_the_prompt_as_asked_and_nothing_else() -> None:
    (row,) = looked_back(BestOfN(), earning(0.2), earning(0.9, token=5), earning(0.5))
    assert (row.prompts, row.responses, row.method, row.weight) == (("asked",), ((5, 8),), "best_of_n", 1.0)
    assert row.imitation_weights is not None and row.imitation_weights.tolist() == [1.0, 1.0]
    assert row.advantages is None and row.behaviour_log_probs is None and row.teacher_weights is None


def test_so_many_are_kept_as_are_better_than_the_worst() -> None:
    graded = [earning(reward) for reward in (0.5, 0.1, 0.9, 0.5)]
    assert chosen(BestOfN(keep=2), *graded) == [2, 0]  # the earlier one of equals
    assert chosen(BestOfN(keep=9), *graded) == [2, 0, 3]


def test_a_threshold_is_the_least_that_is_imitated() -> None:
    graded = [earning(reward) for reward in (0.5, 0.1, 0.9)]
    assert chosen(BestOfN(keep=3, threshold=0.6), *graded) == [2]
    assert chosen(BestOfN(keep=3, threshold=0.9), *graded) == [2]
    assert chosen(BestOfN(threshold=0.91), *graded) == []
    assert chosen(BestOfN(threshold=0.5), earning(0.0, success=True)) == []


@pytest.mark.parametrize("reward", [0.0, 0.3, -1.0])
@pytest.mark.parametrize("success", [None, False])
def test_equals_of_which_none_is_known_to_succeed_teach_nothing(reward: float, success: bool | None) -> None:
    assert chosen(BestOfN(keep=2), *[earning(reward, success) for _ in range(3)]) == []
    assert chosen(BestOfN(), earning(reward, success)) == []


def test_a_lone_success_is_learnt_alone() -> None:
    group = [earning(0.0, False), earning(1.0, True), earning(0.0, False)]
    assert chosen(BestOfN(keep=3), *group) == [1]
    assert chosen(BestOfN(), earning(1.0, True)) == [0]


def test_of_successes_so_many_are_kept() -> None:
    group = [earning(1.0, True) for _ in range(4)]
    assert chosen(BestOfN(), *group) == [0]
    assert chosen(BestOfN(keep=3), *group) == [0, 1, 2]


def test_what_was_cut_off_is_compared_with_and_never_imitated() -> None:
    assert chosen(BestOfN(keep=2), earning(1.0, True, cut_off=True), earning(0.2), earning(0.0)) == [1]
    assert chosen(BestOfN(), earning(0.0, cut_off=True), earning(0.5)) == [1]
    assert chosen(BestOfN(), earning(1.0, True, cut_off=True), earning(0.0)) == []


def test_each_group_has_its_own_best() -> None:
    groups = [group_of(earning(0.0), earning(0.1, token=1)), group_of(earning(5.0, token=2), earning(4.0))]
    assert [each.responses[0][0] for each in BestOfN()(groups, FakeScorer())] == [1, 2]


@pytest.mark.parametrize("groups", [[], [Group("start")]])
def test_nothing_teaches_nothing(groups: list[Group]) -> None:
    assert BestOfN()(groups, FakeScorer()) == []


def test_beside_the_policy_gradient_it_is_a_part_of_the_same_rows() -> None:
    group = group_of(earning(0.0), earning(1.0))
    bad, good = Chain([Outcome(), BestOfN()])([group], FakeScorer())
    assert bad.imitation_weights is None and good.imitation_weights is not None
    assert good.advantages is not None and torch.equal(good.advantages, torch.tensor([0.5, 0.5]))
