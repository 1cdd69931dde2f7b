"""How far a teacher that was told what was revealed is from the policy, attempt by attempt."""

from collections.abc import Sequence

import torch
from unit.hindsight.fakes import FAILURE, Cramped, FakeScorer, attempt, group_of, refuse

from backsight.hindsight.advantage.teacher_shift import teacher_shifts
from backsight.hindsight.base import Exchange, number_attempts
from backsight.hindsight.hints import Hints
from backsight.types import AttemptKey, Feedback, Group

TOLD = Feedback(reward=0.0, correction="right")


class Counting(FakeScorer):
    """Keeps how much was asked at once."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def teacher_log_probs(self, exchanges: Sequence[Exchange]) -> list[torch.Tensor]:
        self.calls.append(len(exchanges))
        return super().teacher_log_probs(exchanges)


def test_each_attempt_of_which_something_was_revealed_has_a_shift_and_all_are_asked_at_once() -> None:
    groups = [
        group_of(attempt((1,), FAILURE), attempt((2, 3), TOLD, log_probs=[-1.0, -0.25])),
        Group("start"),
        group_of(attempt((4,), TOLD)),
    ]
    scorer = Counting()
    shifts = teacher_shifts(number_attempts(groups), scorer, Hints())
    assert shifts.keys() == {AttemptKey(0, 1), AttemptKey(2, 0)}
    # the teacher's -0.25, less -1 and -0.25, and less -0.1
    torch.testing.assert_close(shifts[AttemptKey(0, 1)], torch.tensor([0.75, 0.0]))
    torch.testing.assert_close(shifts[AttemptKey(2, 0)], torch.tensor([-0.15]))
    assert scorer.calls == [2]


def test_nobody_is_asked_for_nothing() -> None:
    told = number_attempts([group_of(attempt((1,), TOLD))])
    assert teacher_shifts(told, Cramped(refuse, refuse), Hints()) == {}
    assert teacher_shifts([], FakeScorer(refuse, refuse), Hints()) == {}


def test_a_teacher_that_is_no_better_than_the_policy_is_not_asked() -> None:
    told = number_attempts([group_of(attempt((1,), TOLD))])
    assert teacher_shifts(told, FakeScorer(refuse, refuse, trusts=False), Hints()) == {}
