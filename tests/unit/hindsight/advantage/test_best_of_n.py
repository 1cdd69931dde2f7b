"""Rejection sampling: which attempts of a group are imitated."""

from dataclasses import replace

import pytest
import torch
from unit.hindsight.fakes import attempt, group_of, keys_of, make_rows

from backsight.hindsight.advantage.options import BestOfNOptions
from backsight.hindsight.catalogue import ChainOptions
from backsight.hindsight.options import OutcomeOptions
from backsight.types import Feedback, Group, Trajectory


def attempt_worth(reward: float, success: bool | None = None, token: int = 7, cut_off: bool = False) -> Trajectory:
    made = attempt((token, 8), Feedback(reward=reward, success=success))
    return replace(made, steps=(replace(made.steps[0], terminated=not cut_off, truncated=cut_off),))


def choose(options: BestOfNOptions, *attempts: Trajectory) -> list[int]:
    """Which of them are imitated, the best first."""
    keys = keys_of(make_rows(options, group_of(*attempts)))
    return [key.attempt for key in keys if key is not None and key.group == 0]


def test_the_best_attempt_is_imitated_under_the_prompt_as_asked_and_nothing_else() -> None:
    group = group_of(attempt_worth(0.2), attempt_worth(0.9, token=5), attempt_worth(0.5))
    (row,) = make_rows(BestOfNOptions(), group)
    assert (row.prompts, row.responses, row.method, row.weight) == (("asked",), ((5, 8),), "best_of_n", 1.0)
    assert row.imitation_weights is not None and row.imitation_weights.tolist() == [1.0, 1.0]
    assert row.advantages is None and row.behaviour_log_probs is None and row.teacher_weights is None


def test_so_many_are_kept_as_are_better_than_the_worst() -> None:
    graded = [attempt_worth(reward) for reward in (0.5, 0.1, 0.9, 0.5)]
    assert choose(BestOfNOptions(keep=2), *graded) == [2, 0]  # the earlier one of equals
    assert choose(BestOfNOptions(keep=9), *graded) == [2, 0, 3]


def test_a_threshold_is_the_least_that_is_imitated() -> None:
    graded = [attempt_worth(reward) for reward in (0.5, 0.1, 0.9)]
    assert choose(BestOfNOptions(keep=3, threshold=0.6), *graded) == [2]
    assert choose(BestOfNOptions(keep=3, threshold=0.9), *graded) == [2]
    assert choose(BestOfNOptions(threshold=0.91), *graded) == []
    assert choose(BestOfNOptions(threshold=0.5), attempt_worth(0.0, success=True)) == []


@pytest.mark.parametrize("reward", [0.0, 0.3, -1.0])
@pytest.mark.parametrize("success", [None, False])
def test_equals_of_which_none_is_known_to_succeed_teach_nothing(reward: float, success: bool | None) -> None:
    assert choose(BestOfNOptions(keep=2), *[attempt_worth(reward, success) for _ in range(3)]) == []
    assert choose(BestOfNOptions(), attempt_worth(reward, success)) == []


def test_a_lone_success_is_learnt_alone() -> None:
    group = [attempt_worth(0.0, False), attempt_worth(1.0, True), attempt_worth(0.0, False)]
    assert choose(BestOfNOptions(keep=3), *group) == [1]
    assert choose(BestOfNOptions(), attempt_worth(1.0, True)) == [0]


def test_of_successes_so_many_are_kept() -> None:
    group = [attempt_worth(1.0, True) for _ in range(4)]
    assert choose(BestOfNOptions(), *group) == [0]
    assert choose(BestOfNOptions(keep=3), *group) == [0, 1, 2]


def test_what_was_cut_off_is_compared_with_and_never_imitated() -> None:
    cut_off = attempt_worth(1.0, True, cut_off=True)
    assert choose(BestOfNOptions(keep=2), cut_off, attempt_worth(0.2), attempt_worth(0.0)) == [1]
    assert choose(BestOfNOptions(), attempt_worth(0.0, cut_off=True), attempt_worth(0.5)) == [1]
    assert choose(BestOfNOptions(), cut_off, attempt_worth(0.0)) == []


def test_each_group_has_its_own_best() -> None:
    groups = [
        group_of(attempt_worth(0.0), attempt_worth(0.1, token=1)),
        group_of(attempt_worth(5.0, token=2), attempt_worth(4.0)),
    ]
    rows = make_rows(BestOfNOptions(), *groups)
    assert [each.responses[0][0] for each in rows] == [1, 2]
    assert keys_of(rows) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("groups", [[], [Group("start")]])
def test_nothing_teaches_nothing(groups: list[Group]) -> None:
    assert make_rows(BestOfNOptions(), *groups) == []


def test_beside_the_policy_gradient_it_is_a_part_of_the_same_rows() -> None:
    group = group_of(attempt_worth(0.0), attempt_worth(1.0))
    bad, good = make_rows(ChainOptions(methods=(OutcomeOptions(), BestOfNOptions())), group)
    assert bad.imitation_weights is None and good.imitation_weights is not None
    assert good.advantages is not None and torch.equal(good.advantages, torch.tensor([0.5, 0.5]))
