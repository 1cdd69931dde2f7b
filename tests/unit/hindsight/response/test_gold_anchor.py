"""A gold answer that joins those who failed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from unit.hindsight.fakes import (
    FAILURE,
    ITEM,
    ROOM,
    SUCCESS,
    FakeScorer,
    attempt,
    change_groups,
    dialogue,
    group_of,
    made_by,
    make_rows,
    values,
)

from backsight.hindsight.response.options import GoldAnchorOptions
from backsight.tasks.base import Item
from backsight.types import Feedback, Group


def test_a_failed_group_is_compared_with_the_gold_answer() -> None:
    group = group_of(*(attempt((number,), FAILURE, start=ITEM) for number in range(3)), start=ITEM)
    rows = make_rows(GoldAnchorOptions(), group)
    # rewards 0, 0, 0 and 1: the mean is 1/4
    assert [values(row.advantages) for row in made_by("outcome", rows)] == [[-0.25]] * 3
    (gold,) = made_by("gold_anchor", rows)
    assert values(gold.advantages) == [0.75] * 4
    assert (gold.prompts, gold.responses) == (("asked",), (tuple(map(ord, "gold")),))
    assert gold.behaviour_log_probs is None and gold.shaping is None and gold.trajectory is None


def test_only_failed_groups_change() -> None:
    """The others keep what methods before have made of their advantages, and a lone success its signal."""
    failed = group_of(attempt((1,), FAILURE, start=ITEM), start=ITEM)
    won = Group(ITEM, (attempt((1,), FAILURE, start=ITEM), attempt((2,), SUCCESS, start=ITEM)))
    changed = Group(ITEM, won.trajectories, (torch.tensor([-3.0]), torch.tensor([3.0])))
    rows = make_rows(GoldAnchorOptions(), changed, failed)
    assert [values(row.advantages) for row in made_by("outcome", rows)] == [[-3.0], [3.0], [-0.5]]
    assert len(made_by("gold_anchor", rows)) == 1


def test_the_estimator_sees_the_whole_batch_once() -> None:
    """Some compare with the batch, and one learns from what it is asked about."""
    seen: list[int] = []

    class Watching(FakeScorer):
        def estimate(self, groups: Sequence[Group]) -> list[Group]:
            seen.append(sum(len(each.trajectories) for each in groups))
            return super().estimate(groups)

    won = group_of(attempt(feedback=SUCCESS, start=ITEM), start=ITEM)
    failed = group_of(attempt(feedback=FAILURE, start=ITEM), start=ITEM)
    make_rows(GoldAnchorOptions(), won, failed, scorer=Watching())
    assert seen == [3]


def test_a_correction_stands_in_for_the_gold_answer() -> None:
    group = group_of(attempt(feedback=Feedback(success=False, correction="so")))
    (gold,) = made_by("gold_anchor", make_rows(GoldAnchorOptions(shaping=0.1), group))
    assert gold.responses == (tuple(map(ord, "so")),)
    assert gold.shaping == 0.1


@pytest.mark.parametrize(
    "group",
    [
        group_of(attempt(feedback=FAILURE)),
        group_of(dialogue(), start=ITEM),
        group_of(attempt(feedback=SUCCESS, start=ITEM), start=ITEM),
        Group(ITEM),
    ],
    ids=["no gold answer", "several steps", "a success", "nothing sampled"],
)
def test_groups_that_it_leaves_alone(group: Group) -> None:
    assert made_by("gold_anchor", make_rows(GoldAnchorOptions(), group)) == []
    assert change_groups(GoldAnchorOptions(), group) == [group]


def test_no_groups() -> None:
    assert make_rows(GoldAnchorOptions()) == []


def test_an_answer_without_room_behind_its_prompt_does_not_join() -> None:
    item = Item("7", "asked", "x" * (ROOM + 1))
    group = group_of(attempt(feedback=FAILURE, start=item), start=item)
    assert change_groups(GoldAnchorOptions(), group) == [group]
