"""Episodes judged again by one who knows what came of them."""

import math

import pytest
from unit.hindsight.fakes import attempt, change_groups, group_of, make_rows, numbered_episode

from backsight.errors import ConfigError, RewardError
from backsight.hindsight.reward.options import RescoreOptions
from backsight.hindsight.reward.rescore import Rescore
from backsight.types import Feedback, Group, Trajectory


def rate(foresight: float, outcome: str | None = None, **rewards: float) -> Trajectory:
    """An attempt that was rated so before anybody knew its outcome."""
    return attempt(feedback=Feedback(rewards=rewards, reward=foresight, outcome=outcome))


def test_the_named_reward_counts_and_the_former_one_is_kept() -> None:
    group = group_of(rate(1.0, utility=-1.0), rate(0.0, utility=3.0))
    (rescored,) = change_groups(RescoreOptions(reward="utility"), group)
    assert [each.rewards for each in rescored.trajectories] == [[-1.0], [3.0]]
    assert [each.feedback.rewards for each in rescored.trajectories] == [
        {"utility": -1.0, "foresight": 1.0, "hindsight": -1.0},
        {"utility": 3.0, "foresight": 0.0, "hindsight": 3.0},
    ]
    assert [each.tolist() for each in group.advantages] == [[0.5, 0.5], [-0.5, -0.5]]
    assert [each.tolist() for each in rescored.advantages] == [[-2.0, -2.0], [2.0, 2.0]]


def test_a_judge_sees_the_outcome_and_replaces_what_the_environment_paid() -> None:
    one = numbered_episode([0, 1], [5.0, 5.0], feedback=Feedback(outcome="returned the item"))
    other = numbered_episode([1, 1], [0.0, 0.0], feedback=Feedback(outcome="kept the item"))
    method = Rescore(RescoreOptions(), judge=lambda seen: float(seen.feedback.outcome == "kept the item"))
    (rescored,) = change_groups(method, group_of(one, other))
    assert [each.rewards for each in rescored.trajectories] == [[0.0, 0.0], [0.0, 1.0]]
    assert [each.feedback.rewards["foresight"] for each in rescored.trajectories] == [10.0, 0.0]


def test_an_attempt_of_which_nothing_is_said_counts_neither_way() -> None:
    group = group_of(rate(9.0, hindsight=1.0), rate(9.0, hindsight=0.0), rate(9.0))
    (rescored,) = change_groups(RescoreOptions(), group)
    assert [each.tolist() for each in rescored.advantages] == [[0.5, 0.5], [-0.5, -0.5], [0.0, 0.0]]
    assert "hindsight" not in rescored.trajectories[2].feedback.rewards


def test_a_silent_group_is_scored_by_nobody_when_another_is_judged() -> None:
    groups = [group_of(rate(9.0)), group_of(rate(0.0, hindsight=2.0))]
    rescored = change_groups(RescoreOptions(), *groups)
    assert [each.trajectories[0].is_scored for each in rescored] == [False, True]
    assert rescored[1].trajectories[0].rewards == [2.0]


def test_a_name_that_nobody_has_is_an_error_that_lists_the_others() -> None:
    group = group_of(rate(1.0, rating=1.0, length=2.0))
    with pytest.raises(ConfigError, match=r"hindsight\.reward: utility: .*there are: length, rating"):
        change_groups(RescoreOptions(reward="utility"), group)


@pytest.mark.parametrize("answer", [math.nan, "good", None])
def test_a_judge_has_to_answer_with_a_number(answer: object) -> None:
    method = Rescore(RescoreOptions(), judge=lambda seen: answer)  # type: ignore[arg-type,return-value]
    with pytest.raises(RewardError, match=r"hindsight\.judge: .*a reward is a finite number"):
        change_groups(method, group_of(attempt()))


def test_a_judge_that_raises_is_named() -> None:
    def judge(seen: Trajectory) -> float:
        raise KeyError("price")

    with pytest.raises(RewardError, match=r"hindsight\.judge: raised KeyError: 'price': mend the function"):
        change_groups(Rescore(RescoreOptions(), judge), group_of(attempt()))


@pytest.mark.parametrize("groups", [[], [Group("start")]])
def test_nothing_to_judge(groups: list[Group]) -> None:
    assert make_rows(RescoreOptions(), *groups) == []


def test_a_judge_that_says_nothing_in_a_whole_step_ends_no_run() -> None:
    silent = [group_of(rate(9.0, rating=1.0)), group_of(rate(0.0))]
    heard = RescoreOptions().build()
    change_groups(heard, group_of(rate(1.0, hindsight=2.0)))
    resumed = RescoreOptions().build()
    resumed.load_state(heard.state())
    for method in (heard, resumed):
        rescored = change_groups(method, *silent)
        assert not any(each.trajectories[0].is_scored for each in rescored)
    (unnamed,) = change_groups(RescoreOptions(), group_of(attempt()))
    assert not unnamed.trajectories[0].is_scored, "nobody has said anything of anything yet"
