"""Relabelled instructions: by what was achieved or by the verdict, imitated and told apart."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from unit.hindsight.fakes import FAILURE, SUCCESS, Cramped, FakeScorer, Method, attempt, group_of, make_rows, refuse

from backsight.errors import DataError
from backsight.hindsight.prompt.options import HIROptions
from backsight.types import Action, Example, Feedback, Group, Step, Trajectory

SCORES = {"A": -0.5, "B": -1.0}


def score(exchange: Any) -> torch.Tensor:
    (prompt,), (tokens,) = exchange
    return torch.full((len(tokens),), SCORES[prompt])


def achieve(goal: str) -> Feedback:
    """A failure that was right for something else."""
    return replace(FAILURE, achieved_prompts=(goal,))


def relabel(method: Method, *groups: Group) -> list[Example]:
    return make_rows(method, *groups, scorer=FakeScorer(score))


def numbers(weights: torch.Tensor | None) -> list[float]:
    assert weights is not None
    return weights.tolist()


def test_the_verdict_stands_before_the_prompt_of_a_failure() -> None:
    rows = relabel(
        HIROptions(contrastive_weight=0.0, sub_output=False), group_of(attempt((1,), SUCCESS), attempt((2, 3), FAILURE))
    )
    assert [each.prompts for each in rows] == [("asked",), ("With a wrong answer: asked",)]
    assert [numbers(each.imitation_weights) for each in rows] == [[1.0], [1.0, 1.0]]
    assert all(each.advantages is None and each.behaviour_log_probs is None for each in rows)


def test_the_user_of_a_chat_gives_the_verdict() -> None:
    chat = [{"role": "system", "content": "s"}, {"role": "user", "content": "asked"}]
    rows = relabel(
        HIROptions(contrastive_weight=0.0, right="Well: "),
        group_of(attempt((1,), SUCCESS, prompt=chat), attempt((1,), FAILURE, prompt=chat)),
    )
    assert [each.prompts[0][1]["content"] for each in rows] == ["Well: asked", "With a wrong answer: asked"]


def test_what_was_achieved_goes_before_the_verdict() -> None:
    (row,) = relabel(HIROptions(), group_of(attempt((1,), achieve("A"))))
    assert row.prompts == ("A",)


def test_a_failure_that_was_cut_off_is_not_imitated() -> None:
    cut_off = attempt((1,), FAILURE)
    cut_off = replace(cut_off, steps=(replace(cut_off.steps[0], terminated=False, truncated=True),))
    assert relabel(HIROptions(), group_of(cut_off)) == []


@pytest.mark.parametrize("feedback", [SUCCESS, FAILURE, achieve("A")])
def test_an_answer_that_hit_the_limit_of_its_length_is_not_imitated(feedback: Feedback) -> None:
    whole = attempt((1,), feedback)
    action = replace(whole.steps[0].action, is_truncated=True)
    unfinished = replace(whole, steps=(replace(whole.steps[0], action=action, truncated=True),))
    assert len(relabel(HIROptions(), group_of(whole))) == 1 and relabel(HIROptions(), group_of(unfinished)) == []


def test_each_attempt_is_drawn_to_its_own_prompt_and_away_from_the_others() -> None:
    whole = group_of(attempt((1, 2), achieve("A")), attempt((3,), achieve("B")))
    rows = relabel(HIROptions(sub_output=False), whole)
    assert [(each.prompts[0], each.responses[0]) for each in rows] == [
        ("A", (1, 2)),
        ("B", (1, 2)),
        ("A", (3,)),
        ("B", (3,)),
    ]
    # two tokens: P = -0.5 under A, -1 under B; the share of A is 1/(1 + e^-0.5) = 0.622459, and 2·(1 - it) = 0.755081
    assert numbers(rows[0].advantages) == pytest.approx([0.755081] * 2, abs=1e-5)
    assert numbers(rows[1].advantages) == pytest.approx([-0.755081] * 2, abs=1e-5)
    # one token: -0.5 and -1; the share of B is 1/(1 + e^0.5) = 0.377541, and 2·(1 - it) = 1.244919
    assert numbers(rows[2].advantages) == pytest.approx([-1.244919], abs=1e-5)
    assert numbers(rows[3].advantages) == pytest.approx([1.244919], abs=1e-5)
    assert [each.imitation_weights is not None for each in rows] == [True, False, False, True]


def test_the_rows_have_the_gradient_of_the_contrastive_loss() -> None:
    whole = group_of(attempt((1, 2), achieve("A")), attempt((3,), achieve("B")))
    means_IK = torch.tensor([[-0.5, -1.0], [-0.5, -1.0]], requires_grad=True)
    lengths_I = torch.tensor([2.0, 1.0])
    # by the tokens of the attempts, as imitation is
    loss = -(lengths_I * means_IK.log_softmax(-1).diagonal()).sum() / lengths_I.sum()
    loss.backward()
    rows = relabel(HIROptions(), whole)
    num_tokens = sum(each.num_decisions for each in rows)
    assert num_tokens == 6
    # the update's loss is -A·log π of each token, over their number
    gradient = [-numbers(each.advantages)[0] / num_tokens for each in rows]
    assert means_IK.grad is not None
    by_token_IK = means_IK.grad / lengths_I[:, None]
    assert gradient == pytest.approx(by_token_IK.flatten().tolist(), abs=1e-6)


def test_equal_prompts_are_one_and_a_single_one_is_not_scored() -> None:
    whole = group_of(attempt((1,), achieve("A")), attempt((2,), achieve("A")))
    rows = make_rows(HIROptions(), whole, scorer=FakeScorer(refuse))
    assert [each.advantages for each in rows] == [None, None]
    three = group_of(*(attempt((1,), achieve(goal)) for goal in "AAB"))
    assert len(relabel(HIROptions(), three)) == 6


def test_a_slice_counts_twice_and_is_another_one_at_every_step() -> None:
    method, resumed = HIROptions().build(), HIROptions().build()
    whole = group_of(attempt(tuple(range(20)), SUCCESS))
    drawn = []
    for _ in range(20):
        resumed.load_state(method.state())
        (row,), (again,) = relabel(method, whole), relabel(resumed, whole)
        weights = numbers(row.imitation_weights)
        assert numbers(again.imitation_weights) == weights
        assert set(weights) <= {1.0, 2.0}
        drawn.append("".join("1" if weight == 2 else "0" for weight in weights))
    assert all("01" not in each.strip("0") and "1" in each for each in drawn)
    assert len(set(drawn)) > 10


def test_the_imitation_weight_leaves_the_contrast_alone() -> None:
    whole = group_of(attempt((1, 2), achieve("A")), attempt((3,), achieve("B")))
    row = relabel(HIROptions(imitation_weight=0.25, sub_output=False, contrastive_weight=2.0), whole)[0]
    assert row.weight == 1.0 and numbers(row.imitation_weights) == [0.25, 0.25]
    assert numbers(row.advantages) == pytest.approx([2 * 0.755081] * 2, abs=1e-5)


@pytest.mark.parametrize("groups", [[], [Group("start")]])
def test_nothing_teaches_nothing(groups: list[Group]) -> None:
    assert relabel(HIROptions(), *groups) == []


def test_a_group_in_which_all_failed_is_learnt_as_wrong() -> None:
    rows = relabel(HIROptions(), group_of(attempt((1,), FAILURE), attempt((2,), FAILURE)))
    assert [each.prompts for each in rows] == [("With a wrong answer: asked",)] * 2


def test_episodes_are_imitated_under_their_goals_and_not_contrasted() -> None:
    def episode(goal: float) -> Trajectory:
        steps = tuple(Step(np.zeros(2), Action(np.array([step]), torch.zeros(1))) for step in range(2))
        return Trajectory(0, steps, Feedback(achieved_prompts=(np.full(2, goal), np.full(2, goal))))

    rows = relabel(HIROptions(), group_of(episode(1.0), episode(2.0)))
    assert [each.prompts[0].tolist() for each in rows] == [[1.0, 1.0], [2.0, 2.0]]
    assert all(each.advantages is None for each in rows)


def test_a_prompt_that_leaves_no_room_is_not_learnt() -> None:
    assert make_rows(HIROptions(), group_of(attempt((1,), achieve("A"))), scorer=Cramped()) == []


def test_numbers_have_no_room_for_a_verdict() -> None:
    with pytest.raises(DataError, match="only a prompt in words"):
        relabel(HIROptions(), group_of(attempt((1,), FAILURE, prompt=np.zeros(2))))
