"""What was achieved, imitated as if it had been asked for: which goals, which attempts, and how much each counts."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from unit.hindsight.fakes import FAILURE, SUCCESS, Cramped, FakeScorer, attempt, group_of, make_rows

from backsight.hindsight.prompt.options import RelabelOptions
from backsight.types import Action, Feedback, Group, Step, Trajectory

FAILED = Feedback(reward=0.0, success=False, achieved_prompts=("achieved",))


def group(*feedback: Feedback) -> Group:
    return group_of(*(attempt((7, 8, 9, 10)[: number + 1], each) for number, each in enumerate(feedback)))


def walk(num_steps: int, feedback: Feedback = FAILED) -> Trajectory:
    """An episode whose goals on the way say when they were achieved."""
    way = [tuple(f"{step} to {end}" for step in range(end + 1)) for end in range(num_steps)]
    steps = tuple(Step(str(step), Action(step, torch.tensor([-0.1]))) for step in range(num_steps))
    return Trajectory("start", steps, replace(feedback, achieved_prompts=way[-1], achieved_prompts_by_step=way))


def test_what_was_achieved_is_added_and_says_that_it_is_off_policy() -> None:
    examples = make_rows(RelabelOptions(imitation_weight=0.5), group(FAILED, FAILURE))
    assert [each.method for each in examples] == ["outcome", "outcome", "relabel"]
    relabelled = examples[2]
    assert relabelled.prompts == ("achieved",) and relabelled.weight == 0.5
    assert relabelled.responses == ((7,),)
    assert relabelled.behaviour_log_probs is None and relabelled.advantages is None
    assert relabelled.imitation_weights is not None and relabelled.imitation_weights.tolist() == [1.0]
    assert relabelled.trajectory is not None and relabelled.trajectory.feedback is FAILED


def test_a_group_in_which_everything_failed_teaches_something() -> None:
    examples = make_rows(RelabelOptions(), group(FAILED, FAILED))
    assert sum(each.imitation_weights is not None for each in examples) == 2


def test_a_lone_success_is_imitated_under_what_was_asked() -> None:
    (example,) = make_rows(RelabelOptions(outcome_weight=0.0), group(SUCCESS))
    assert example.prompts == ("asked",) and example.imitation_weights is not None


def test_the_policy_gradient_can_weigh_less_or_nothing() -> None:
    halved = make_rows(RelabelOptions(outcome_weight=0.5), group(FAILED))
    assert [each.weight for each in halved] == [0.5, 1.0]
    assert [each.method for each in make_rows(RelabelOptions(outcome_weight=0.0), group(FAILED))] == ["relabel"]


def test_those_that_achieved_most_of_what_was_asked_are_replayed_first() -> None:
    shares = [replace(FAILED, achieved_share=share) for share in (0.25, 0.75, 0.5)]
    examples = make_rows(RelabelOptions(outcome_weight=0.0, max_replays=2), group(*shares))
    assert [len(each.responses[0]) for each in examples] == [2, 3]
    with_success = make_rows(RelabelOptions(outcome_weight=0.0, max_replays=1), group(*shares, SUCCESS))
    assert with_success[0].prompts == ("asked",)


def test_several_steps_are_one_example() -> None:
    steps = tuple(Step(name, Action((1, 2), torch.zeros(2))) for name in ("first", "second"))
    trajectory = Trajectory(None, steps, Feedback(achieved_prompts=("other first", "other second")))
    outcome, relabelled = make_rows(RelabelOptions(), Group(None, (trajectory,), (torch.tensor([3.0, 3.0, 5.0, 5.0]),)))
    assert outcome.advantages is not None and outcome.advantages.tolist() == [3.0, 3.0, 5.0, 5.0]
    assert relabelled.prompts == ("other first", "other second") and relabelled.num_decisions == 4


ALL_FORMS: list[dict[str, Any]] = [
    {},
    {"strategy": "future"},
    {"selection": "hir", "max_replays": 2},
    {"reinforce_replays": True},
    {"correction_cap": 2.0},
]


@pytest.mark.parametrize("options", ALL_FORMS, ids=str)
def test_nothing_teaches_nothing(options: dict[str, Any]) -> None:
    for groups in ([], [Group("start")], [group(FAILURE)], [group(FAILURE, FAILURE)]):
        assert make_rows(RelabelOptions(outcome_weight=0.0, **options), *groups) == []


def test_a_prompt_that_leaves_no_room_is_not_learnt() -> None:
    assert make_rows(RelabelOptions(outcome_weight=0.0), group(FAILED, FAILED), scorer=Cramped()) == []


def test_a_replay_of_the_way_ends_where_its_goal_was_achieved() -> None:
    rows = make_rows(RelabelOptions(outcome_weight=0.0, strategy="future"), group_of(walk(6)))
    assert 1 <= len(rows) <= 4
    for row in rows:
        end = len(row.prompts) - 1
        assert row.prompts == tuple(f"{step} to {end}" for step in range(end + 1))
        assert row.responses == tuple(range(end + 1))
        assert row.num_decisions == end + 1


@pytest.mark.parametrize(
    ("strategy", "chances"),
    [
        # a step t of three, then a moment of t, t+1, ...: P(k) = 1/3 · Σ_{t≤k} 1/(3-t)
        ("future", [1 / 9, 1 / 9 + 1 / 6, 1 / 9 + 1 / 6 + 1 / 3]),
        ("episode", [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_goals_are_drawn_as_the_strategy_says(strategy: Any, chances: Sequence[float]) -> None:
    method = RelabelOptions(outcome_weight=0.0, strategy=strategy, num_goals=1).build()
    whole = group_of(walk(3))
    ends = Counter(len(row.prompts) - 1 for _ in range(1000) for row in make_rows(method, whole))
    assert [ends[end] / 1000 for end in range(3)] == pytest.approx(chances, abs=0.05)


def test_a_resumed_run_draws_the_same_goals() -> None:
    method, resumed = RelabelOptions(strategy="future").build(), RelabelOptions(strategy="future").build()
    whole = group_of(walk(50))
    first = make_rows(method, whole)
    resumed.load_state(method.state())
    second, again = make_rows(method, whole), make_rows(resumed, whole)
    assert [each.prompts for each in second] == [each.prompts for each in again]
    assert [each.prompts for each in second] != [each.prompts for each in first]


def test_a_success_on_the_way_is_imitated_as_asked_too() -> None:
    rows = make_rows(RelabelOptions(outcome_weight=0.0, strategy="episode"), group_of(walk(4, SUCCESS)))
    assert rows[0].prompts == ("0", "1", "2", "3")
    assert len(rows) > 1


def test_where_nobody_knows_the_way_the_goal_is_that_of_the_end() -> None:
    (row,) = make_rows(RelabelOptions(outcome_weight=0.0, strategy="future"), group(FAILED))
    assert row.prompts == ("achieved",)


def test_hir_turns_from_surprise_to_what_was_kept() -> None:
    kept = attempt((1,), replace(FAILED, achieved_share=0.75), log_probs=[-0.1])
    surprising = attempt((2,), replace(FAILED, achieved_share=0.25), log_probs=[-2.0])
    whole = group_of(attempt((3,), SUCCESS), kept, surprising)
    method = RelabelOptions(outcome_weight=0.0, selection="hir", max_replays=1).build()
    chosen = [make_rows(method, whole)[0].responses[0] for _ in range(16)]
    # 0.1 + 0.75·λ exceeds 2 + 0.25·λ once λ > 3.8: 2·1.05^13 = 3.77, 2·1.05^14 = 3.96
    assert chosen == [(2,)] * 14 + [(1,)] * 2
    method.load_state({"num_steps": torch.tensor(10**6)})
    assert make_rows(method, whole)[0].responses[0] == (1,)


def test_replays_can_be_reinforced_as_successes_of_their_group() -> None:
    groups = group(FAILED, FAILED, FAILURE, FAILURE, SUCCESS), group(FAILURE)
    *sampled, first, second = make_rows(RelabelOptions(reinforce_replays=True, max_replays=2), *groups)
    assert [each.method for each in sampled] == ["outcome"] * 6
    # rewards 0 0 0 0 1 and the replays' 1 1: the mean is 3/7
    for row, length in ((first, 1), (second, 2)):
        assert row.prompts == ("achieved",) and row.behaviour_log_probs is None and row.imitation_weights is None
        assert row.advantages is not None and row.advantages.tolist() == pytest.approx([4 / 7] * length)


def test_only_the_reward_of_success_counts_for_a_replay_of_steps_that_cost() -> None:
    costly = walk(3)
    costly = replace(costly, steps=tuple(replace(step, reward=-1.0) for step in costly.steps))
    (row,) = make_rows(RelabelOptions(outcome_weight=0.0, reinforce_replays=True), group_of(costly))
    # -3 and 1 have the mean -1
    assert row.advantages is not None and row.advantages.tolist() == [2.0, 2.0, 2.0]


def test_a_correction_weighs_what_the_new_prompt_would_have_made_of_it() -> None:
    def score(exchange: Any) -> torch.Tensor:
        assert exchange == (("achieved",), ((7, 8),))
        return torch.tensor([-0.5, -0.5])

    failed = attempt((7, 8), FAILED, log_probs=[-0.1, -3.0])
    options = RelabelOptions(outcome_weight=0.0, correction_cap=2.0)
    (row,) = make_rows(options, group_of(failed), scorer=FakeScorer(score))
    # e^(-0.5 + 0.1), and e^(-0.5 + 3) = 12.2, which is cut
    assert row.imitation_weights is not None
    assert row.imitation_weights.tolist() == pytest.approx([math.exp(-0.4), 2.0])


@pytest.mark.parametrize("feedback", [FAILED, SUCCESS])
def test_an_answer_that_hit_the_limit_of_its_length_is_not_imitated(feedback: Feedback) -> None:
    """To imitate it would teach never to end; an episode that a limit of time ended may have achieved its goal."""
    whole = attempt((7, 8), feedback)
    (step,) = whole.steps
    unfinished = replace(whole, steps=(replace(step, action=replace(step.action, is_truncated=True), truncated=True),))
    timed_out = replace(whole, steps=(replace(step, truncated=True),))
    rows = [make_rows(RelabelOptions(outcome_weight=0.0), group_of(each)) for each in (whole, unfinished, timed_out)]
    assert [len(each) for each in rows] == [1, 0, 1]
