"""Weight that is given to the tokens which the criteria ask for."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from unit.hindsight.fakes import (
    FAILURE,
    SUCCESS,
    Cramped,
    FakeScorer,
    approx,
    attempt,
    give_credit,
    group_of,
    make_rows,
    refuse,
)

from backsight.errors import ConfigError
from backsight.hindsight.advantage.options import CoRTOptions
from backsight.hindsight.base import Exchange
from backsight.tasks.base import Item
from backsight.types import Feedback, Group

AT_ONCE = {"ramp_steps": 1}
"""In full from the second step on."""


def judged_by(criteria: Any) -> Group:
    """A success and a failure at an item with these criteria: the advantages are 0.5 and -0.5."""
    item = Item("1", "asked", None, {"rubric": criteria})
    return group_of(attempt((1, 2), SUCCESS), attempt((3, 4), FAILURE), start=item)


def moved(asked: Exchange) -> torch.Tensor:
    """The first token moves by 2, which is more than the bound, the second by -0.5."""
    return torch.tensor([1.9, -0.6])


def test_weights_are_bounded_and_ramped_in_and_a_resumed_run_goes_on_where_it_was() -> None:
    options = CoRTOptions(rubric="rubric", ramp_steps=2)
    method, resumed = options.build(), options.build()
    first, second = math.exp(1.0), math.exp(-0.5)
    mean = (first + second) / 2
    for share, scorer in ((0.0, FakeScorer(refuse, refuse)), (0.5, FakeScorer(moved)), (1.0, FakeScorer(moved))):
        resumed.load_state(method.state())
        credit = give_credit(method, judged_by("be short"), scorer)
        assert give_credit(resumed, judged_by("be short"), scorer) == credit
        weights = [1 - share + share * each / mean for each in (first, second)]
        assert credit == approx([[0.5 * each for each in weights], [-0.5 * each for each in weights]])


@pytest.mark.parametrize(
    ("criteria", "told"), [("be short ", "be short"), (["be short", None, "be kind"], "be short\nbe kind")]
)
def test_criteria_are_a_text_or_a_list(criteria: Any, told: str) -> None:
    seen: list[Any] = []

    def log_prob(asked: Exchange) -> torch.Tensor:
        seen.append(asked[0])
        return torch.tensor([-0.1, -0.1])

    method = CoRTOptions(rubric="rubric", **AT_ONCE).build()
    for _ in range(2):
        give_credit(method, judged_by(criteria), FakeScorer(log_prob))
    assert seen == [(f"What the answer is judged by: {told}\nasked",)] * 2


def test_without_a_column_the_comment_is_told_and_an_attempt_without_one_keeps_its_advantage() -> None:
    told = Feedback(reward=0.0, text="too long")
    group = group_of(attempt((1, 2), SUCCESS), attempt((3, 4), told))
    method = CoRTOptions(**AT_ONCE).build()
    give_credit(method, group)
    good, bad = give_credit(method, group, FakeScorer(moved))
    assert good == [0.5, 0.5] and bad != [-0.5, -0.5] and sum(bad) == pytest.approx(-1.0)


def test_a_column_that_is_not_there_is_named_in_the_first_step() -> None:
    with pytest.raises(ConfigError, match=r"hindsight\.rubric: rubrics: an item has no .* did you mean 'rubric'"):
        give_credit(CoRTOptions(rubric="rubrics"), judged_by("be short"))
    with pytest.raises(ConfigError, match="no such column"):  # of a start that is no item
        give_credit(CoRTOptions(rubric="rubric"), group_of(attempt((1,), SUCCESS)))


def test_what_has_no_advantage_no_room_or_no_criteria_is_not_asked() -> None:
    equal = group_of(attempt((1, 2), FAILURE), attempt((3, 4), FAILURE), start=judged_by("be short").start)
    for group, scorer in (
        (equal, FakeScorer(refuse, refuse)),
        (judged_by("be short"), Cramped(refuse, refuse)),
        (judged_by([]), FakeScorer(refuse, refuse)),
    ):
        method = CoRTOptions(rubric="rubric", **AT_ONCE).build()
        give_credit(method, group)
        assert give_credit(method, group, scorer) == [each.tolist() for each in group.advantages]


def test_a_policy_without_words_is_refused() -> None:
    with pytest.raises(ConfigError, match="cort: needs observations in text"):
        make_rows(CoRTOptions(), group_of(attempt((1,), SUCCESS, prompt=np.zeros(2))))
