"""Quantiles of the reward, as tags before the prompt."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from unit.hindsight.fakes import attempt, group_of, keys_of, make_rows

from backsight.errors import ConfigError, DataError
from backsight.hindsight.prompt.options import ConditionOptions
from backsight.types import Example, Feedback, Group


def group(*rewards: float) -> Group:
    return group_of(*(attempt((1, 2), Feedback(reward=reward)) for reward in rewards))


def prompts(examples: list[Example]) -> list[str]:
    return [each.prompts[0] for each in examples]


def test_the_best_need_no_tag_and_the_others_say_how_good_they_are() -> None:
    rows = make_rows(ConditionOptions(), group(*range(1, 11)))
    # ten rewards, five quantiles: ⌈5·n/10⌉, where n are not higher
    tags = [f"Quality {quantile}: asked" for quantile in (1, 1, 2, 2, 3, 3, 4, 4)]
    assert prompts(rows) == [*tags, "asked", "asked"]


def test_of_two_rewards_one_is_the_worst_and_one_the_best() -> None:
    rows = make_rows(ConditionOptions(), group(0, 0, 0, 1))
    assert prompts(rows) == ["Quality 1: asked"] * 3 + ["asked"]
    rows = make_rows(ConditionOptions(tag="[{quantile}] "), group(0, 1, 1, 1))
    assert prompts(rows) == ["[1] asked"] + ["asked"] * 3


def test_rows_are_imitated_and_are_no_part_of_the_policy_gradient() -> None:
    row = make_rows(ConditionOptions(imitation_weight=0.5), group(0, 1))[1]
    assert row.imitation_weights is not None and row.imitation_weights.tolist() == [0.5, 0.5]
    assert row.advantages is None and row.behaviour_log_probs is None and row.weight == 1.0


def test_every_quantile_has_the_same_part() -> None:
    rows = make_rows(ConditionOptions(), group(0, 0, 0, 1))
    # four attempts, two quantiles: 4/(2·3) each of three, and 4/(2·1)
    weights = [each.imitation_weights.tolist()[0] for each in rows if each.imitation_weights is not None]
    assert weights == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2.0])


def test_beside_the_policy_gradient_the_rows_are_no_part_of_it() -> None:
    rows = make_rows(ConditionOptions(outcome_weight=1.0), group(0, 1))
    # the best one stands under the prompt that was asked: one row for both
    assert [each.method for each in rows] == ["outcome", "outcome+condition", "condition"]
    assert rows[1].advantages is not None and rows[1].advantages.tolist() == [0.5, 0.5]
    assert rows[2].advantages is None


@pytest.mark.parametrize("groups", [[], [Group("start")], [group(1)], [group(0, 0)]])
def test_without_a_difference_there_is_nothing_to_tell(groups: list[Group]) -> None:
    assert make_rows(ConditionOptions(), *groups) == []


def test_failures_are_known_by_what_was_earned_before() -> None:
    method, resumed = ConditionOptions().build(), ConditionOptions().build()
    make_rows(method, group(1, 1))
    resumed.load_state(method.state())
    assert prompts(make_rows(resumed, group(0, 0))) == ["Quality 1: asked"] * 2


def test_the_oldest_rewards_are_forgotten() -> None:
    method = ConditionOptions(pool_size=2).build()
    make_rows(method, group(5, 0, 1))
    assert method.state()["rewards"].tolist() == [0.0, 1.0]


def test_rewards_are_compared_as_precisely_as_they_are_kept() -> None:
    assert prompts(make_rows(ConditionOptions(), group(0.1, 0.3))) == ["Quality 1: asked", "asked"]


def test_a_tag_needs_a_place_for_the_number() -> None:
    with pytest.raises(ConfigError, match=r"tag: good: has no \{quantile\}"):
        ConditionOptions(tag="good").build()


def test_numbers_have_no_room_for_a_tag() -> None:
    observed = group_of(*(attempt((1,), Feedback(reward=reward), prompt=np.zeros(2)) for reward in (0.0, 1.0)))
    with pytest.raises(DataError, match="use relabel or command"):
        make_rows(ConditionOptions(), observed)


def test_an_empty_state_is_taken_over() -> None:
    method = ConditionOptions().build()
    method.load_state({"rewards": torch.zeros(0)})
    assert len(make_rows(method, group(0, 1))) == 2


def test_an_answer_that_was_cut_off_is_not_imitated() -> None:
    cut = attempt((1, 2), Feedback(reward=3.0))
    cut = replace(cut, steps=(replace(cut.steps[0], action=replace(cut.steps[0].action, is_truncated=True)),))
    rows = make_rows(ConditionOptions(), group_of(*group(0, 1).trajectories, cut))
    assert keys_of(rows) == [(0, 0), (0, 1)]
