"""What reference and teacher say of the examples of a step, and how it is laid end to end."""

import math
from dataclasses import replace

import torch
from tiny_models import tiny_policy

from backsight.profiling import Profile
from backsight.training.config import StopConfig, TeacherConfig, TrainingConfig
from backsight.training.frozen_scores import (
    FrozenScores,
    Target,
    ask_frozen_policies,
    join_references,
    join_targets,
    score_in_batches,
)
from backsight.training.teacher import Teacher
from backsight.types import Example, Sampling, ScoreRequest

CONFIG = TrainingConfig(stop=StopConfig(max_steps=1), temperature=0.7, teacher=TeacherConfig(top_k=5))
TAUGHT = Example(
    ("a b",),
    ((7, 8, 9),),
    "self_distill",
    teacher_prompts=("hint a b",),
    teacher_weights=torch.tensor([1.0, 0.0, 1.0]),
)
PLAIN = Example(("c",), ((5, 6),), "outcome", advantages=torch.tensor([1.0, -1.0]))
LONG = Example(("a prompt that is longer",), ((5, 6, 7, 0),), "outcome", advantages=torch.ones(4))


def test_the_target_is_what_the_teacher_gives_under_its_own_prompt() -> None:
    policy = tiny_policy()
    teacher = Teacher(policy, CONFIG.teacher)
    plain, taught = ask_frozen_policies(None, teacher.scoring, [PLAIN, TAUGHT], CONFIG, 2048, Profile())
    assert plain == FrozenScores() and taught.reference_T is None
    target = taught.target
    assert target is not None
    assert target.actions_NK.shape == (3, 5) and target.num_taught == 2
    request = ScoreRequest(top_k=5)
    with torch.no_grad():
        own = policy.log_probs([replace(TAUGHT, prompts=("hint a b",))], CONFIG.sampling, request)
    assert own.support_log_probs_NK is not None
    torch.testing.assert_close(target.actions_NK, own.support_NK)
    torch.testing.assert_close(target.log_probs_NK, own.support_log_probs_NK)
    torch.testing.assert_close(target.taken_N, own.log_probs_N)


def test_the_reference_scores_every_example_in_the_order_given() -> None:
    reference, rows = tiny_policy(seed=1), [PLAIN, LONG, TAUGHT]
    for budget in (2048, 1):  # together, and each alone, the widest first
        answers = ask_frozen_policies(reference, None, rows, CONFIG, budget, Profile())
        assert all(each.target is None for each in answers)
        for row, answer in zip(rows, answers, strict=True):
            expected = reference.log_probs([row], CONFIG.sampling).log_probs_N.detach()
            assert answer.reference_T is not None and not answer.reference_T.requires_grad
            torch.testing.assert_close(answer.reference_T, expected, rtol=1e-4, atol=1e-5)


def test_where_nobody_is_asked_nobody_says_anything() -> None:
    profile = Profile()
    assert ask_frozen_policies(None, None, [PLAIN, TAUGHT], CONFIG, 2048, profile) == [FrozenScores()] * 2
    assert ask_frozen_policies(tiny_policy(), None, [], CONFIG, 2048, profile) == []
    assert not profile.tokens


def test_scores_are_handed_out_by_example_and_their_tokens_counted() -> None:
    policy, rows, profile = tiny_policy(), [PLAIN, LONG], Profile()
    answers = dict(score_in_batches(policy, rows, Sampling(), 1, profile, ScoreRequest(top_k=3)))
    assert answers.keys() == {0, 1}
    assert [answers[index].log_probs_N.shape for index in (0, 1)] == [(2,), (4,)]
    assert [answers[index].support_NK.shape for index in (0, 1)] == [(2, 3), (4, 3)]  # type: ignore[union-attr]
    # the last token of a response is not read
    expected = sum(len(policy.prompt_tokens(row.prompts[0])) + len(row.responses[0]) - 1 for row in rows)
    assert profile.tokens["forward"] == expected and profile.seconds["forward"] > 0


def target(first: float, count: int) -> Target:
    return Target(
        torch.full((count, 2), int(first)), torch.full((count, 2), -first), torch.full((count,), -2 * first), 9
    )


def test_references_are_laid_end_to_end() -> None:
    scores = [FrozenScores(torch.tensor([-1.0, -2.0])), FrozenScores(torch.tensor([-3.0]))]
    found = join_references(scores)
    assert found is not None and found.tolist() == [-1.0, -2.0, -3.0]
    assert join_references([FrozenScores(), FrozenScores()]) is None


def test_targets_are_laid_end_to_end_and_the_untaught_get_actions_that_weigh_nothing() -> None:
    scores = [FrozenScores(target=target(3.0, 1)), FrozenScores(), FrozenScores(target=target(5.0, 2))]
    found = join_targets(scores, [1, 1, 2])
    assert found is not None and found.num_taught == 9
    assert found.actions_NK.tolist() == [[3, 3], [0, 1], [5, 5], [5, 5]]
    half = math.log(0.5)
    expected = torch.tensor([[-3.0, -3.0], [half, half], [-5.0, -5.0], [-5.0, -5.0]])
    torch.testing.assert_close(found.log_probs_NK, expected)
    assert found.taken_N.tolist() == [-6.0, 0.0, -10.0, -10.0]
    assert join_targets([FrozenScores(), FrozenScores()], [1, 2]) is None
