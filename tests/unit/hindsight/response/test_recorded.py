"""Turns that others took, and what was said of them."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from unit.hindsight.fakes import FakeScorer, make_rows, values

from backsight.errors import ConfigError, DataError
from backsight.hindsight.response.options import RecordedOptions
from backsight.tasks.base import Item
from backsight.types import ActionValue, Group, Observation


def log_turn(target: str | None = "turn", prompt: Observation = "asked", **columns: object) -> Group:
    return Group(Item("3", prompt, target, columns))


def test_rewards_are_compared_with_the_mean_of_the_data() -> None:
    (row,) = make_rows(RecordedOptions(reward_weight=2.0), log_turn(reward=1.0, reward_mean=0.75))
    assert (row.prompts, row.responses) == (("asked",), (tuple(map(ord, "turn")),))
    assert values(row.advantages) == [0.5] * 4  # 2·(1 - 0.75)
    assert row.behaviour_log_probs is None and row.shaping is None
    assert row.imitation_weights is None and row.teacher_weights is None


def test_what_is_pushed_away_fades() -> None:
    (row,) = make_rows(RecordedOptions(), log_turn(reward=0, reward_mean=0.5))
    assert values(row.advantages) == [-0.5] * 4 and row.shaping == 0.1


def test_a_reward_of_nothing_is_a_reward() -> None:
    (row,) = make_rows(RecordedOptions(shaping=None), log_turn(reward=0, reward_mean=0.5))
    assert values(row.advantages) == [-0.5] * 4
    assert row.shaping is None


def test_corrections_are_imitated() -> None:
    (row,) = make_rows(RecordedOptions(correction_weight=3.0), log_turn(correction="mended"))
    assert row.responses == (tuple(map(ord, "mended")),)
    assert values(row.imitation_weights) == [1.0] * 6
    assert row.weight == 3.0 and row.advantages is None and row.shaping is None


def test_feedback_in_words_makes_a_teacher() -> None:
    (row,) = make_rows(RecordedOptions(distill_weight=0.5), log_turn(feedback="too long"))
    assert row.teacher_prompts == ("What was said of an earlier answer: too long\nasked",)
    assert values(row.teacher_weights) == [0.5] * 4
    assert row.prompts == ("asked",) and row.advantages is None


def test_chat_messages_are_informed_where_the_user_spoke_last() -> None:
    messages = [{"role": "user", "content": "hi"}]
    options = RecordedOptions(distill_weight=1.0, introduce=False)
    (row,) = make_rows(options, log_turn(feedback="rude", prompt=messages))
    assert row.teacher_prompts == ([{"role": "user", "content": "rude\nhi"}],)


def test_reward_and_comment_are_one_row_and_the_correction_another() -> None:
    group = log_turn(reward=0.0, reward_mean=1.0, feedback="no", correction="yes")
    turn, correction = make_rows(RecordedOptions(distill_weight=1.0), group)
    assert values(turn.advantages) == [-1.0] * 4
    assert values(turn.teacher_weights) == [1.0] * 4
    assert correction.responses == (tuple(map(ord, "yes")),)


def test_weights_of_zero_leave_their_part_out() -> None:
    group = log_turn(reward=1.0, feedback="no", correction="yes")
    (correction,) = make_rows(RecordedOptions(reward_weight=0.0), group)
    assert correction.responses == (tuple(map(ord, "yes")),)
    (turn,) = make_rows(RecordedOptions(correction_weight=0.0), group)
    assert turn.teacher_weights is None


def test_it_asks_for_a_teacher_only_to_distil() -> None:
    assert not RecordedOptions().needs_teacher
    assert RecordedOptions(distill_weight=0.1).needs_teacher
    assert not RecordedOptions().learns_from_attempts


@pytest.mark.parametrize("groups", [[], [log_turn()], [log_turn(reward=None, feedback=" ", correction="")]])
def test_a_turn_of_which_nothing_was_said(groups: list[Group]) -> None:
    assert make_rows(RecordedOptions(distill_weight=1.0), *groups) == []


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"reward": "good"}, r"3\.reward: good: a reward is a finite number"),
        ({"reward": math.nan}, r"3\.reward: nan: a reward is a finite number"),
        ({"correction": 5}, r"3\.correction: 5: write it as text"),
        ({"target": None, "reward": 1.0}, r"3\.target: None: a turn that was judged needs its text"),
    ],
)
def test_a_column_that_is_not_what_it_should_be(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        make_rows(RecordedOptions(), log_turn(**columns))


def test_without_any_weight_there_is_nothing_to_learn() -> None:
    with pytest.raises(ConfigError, match="all weights are 0"):
        RecordedOptions(reward_weight=0.0, correction_weight=0.0)


@pytest.mark.parametrize("columns", [{"reward": 1.0, "target": "t" * 101}, {"correction": "c" * 101}])
def test_what_has_no_room_behind_its_prompt_is_named(columns: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"3\.(target|correction): .* are longer than the model's context"):
        make_rows(RecordedOptions(), log_turn(**columns))


class Narrow(FakeScorer):
    """A context of a hundred letters."""

    def fits(self, prompts: Sequence[Observation], response: ActionValue | None = None) -> bool:
        return all(len(each) + len(response or ()) <= 100 for each in prompts)


def test_a_comment_that_has_no_room_is_not_told() -> None:
    options, long = RecordedOptions(distill_weight=0.5), "f" * 100
    assert make_rows(options, log_turn(feedback=long), scorer=Narrow()) == []
    (row,) = make_rows(options, log_turn(feedback=long, reward=1.0), scorer=Narrow())
    assert row.teacher_prompts is None and row.teacher_weights is None and values(row.advantages) == [1.0] * 4
