"""The log-ratio of a teacher that was told, added to the advantage."""

import torch
from unit.hindsight.fakes import (
    FAILURE,
    SUCCESS,
    Cramped,
    FakeScorer,
    approx,
    attempt,
    episode,
    give_credit,
    group_of,
    refuse,
)

from backsight.hindsight.advantage.options import OPDOptions
from backsight.hindsight.base import Exchange
from backsight.types import Feedback


def test_the_teachers_log_ratio_is_added_where_something_was_revealed() -> None:
    group = group_of(attempt((1, 2), SUCCESS), attempt((3, 4), FAILURE))
    # the failure is shown the success, -0.25 + 0.1 by default; the lone success keeps its advantage
    result = give_credit(OPDOptions(reward_weight=2.0, teacher_weight=3.0), group)
    assert result == approx([[1, 1], [-1 - 0.45, -1 - 0.45]])


def test_what_the_teacher_all_but_rules_out_is_clipped() -> None:
    told = attempt((1, 2), Feedback(reward=0.0, correction="right"))
    seen: list[Exchange] = []

    def log_prob(asked: Exchange) -> torch.Tensor:
        seen.append(asked)
        return torch.tensor([-30.0, -0.1])

    scorer = FakeScorer(teacher_log_prob=log_prob)
    assert give_credit(OPDOptions(), group_of(told), scorer) == approx([[-5, 0]])
    assert give_credit(OPDOptions(clip=None, introduce=False), group_of(told), scorer) == approx([[-29.9, 0]])
    assert [prompts for prompts, _ in seen] == [("A correct answer: right\nasked",), ("right\nasked",)]


def test_what_does_not_fit_into_the_context_is_not_asked() -> None:
    group = group_of(episode("a", [0], feedback=SUCCESS), *(episode("b", [0]) for _ in range(2)))
    assert give_credit(OPDOptions(), group, Cramped(refuse, refuse)) == [each.tolist() for each in group.advantages]


def test_a_fixed_penalty_needs_no_teacher_and_falls_on_the_same_attempts() -> None:
    options = OPDOptions(penalty=7.0, teacher_weight=0.5)
    assert not options.needs_teacher and options.label == "opd-penalty"
    group = group_of(attempt((1, 2), SUCCESS), attempt((3, 4), FAILURE))
    assert give_credit(options, group, FakeScorer(refuse, refuse)) == [[0.5, 0.5], [-0.5 - 3.5] * 2]
