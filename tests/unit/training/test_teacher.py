"""Who the teacher is, what it says, and when it is believed."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_models import tiny_policy, tiny_seq2seq

from backsight.errors import ConfigError
from backsight.hindsight.base import Told, number_attempts
from backsight.policies.blended import BlendedPolicy
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.text import LanguageModelPolicy
from backsight.training.config import TeacherConfig
from backsight.training.teacher import Teacher, TeacherTrials, TrialResult
from backsight.types import Action, Example, Feedback, Group, ScoreRequest, Step, Trajectory

TAUGHT = Example(
    ("a b",),
    ((7, 8, 9),),
    "self_distill",
    teacher_prompts=("hint a b",),
    teacher_weights=torch.tensor([1.0, 0.0, 1.0]),
)
PLAIN = Example(("c",), ((5, 6),), "outcome", advantages=torch.tensor([1.0, -1.0]))


def moved(policy: LanguageModelPolicy) -> LanguageModelPolicy:
    other = copy.deepcopy(policy)
    with torch.no_grad():
        for parameter in other.module.parameters():
            parameter.add_(0.1)
    return other


def first_weight(policy: CausalLMPolicy) -> torch.Tensor:
    return next(policy.module.parameters()).detach().clone()


def test_a_frozen_teacher_stays_and_an_averaged_one_follows() -> None:
    policy = tiny_policy()
    before, after = first_weight(policy), first_weight(moved(policy))
    for update, share in (("frozen", 0.0), ("ema", 0.25), ("live", 1.0)):
        own = copy.deepcopy(policy)
        teacher = Teacher(own, TeacherConfig(update=update, rate=0.25))
        own.module.load_state_dict(moved(policy).module.state_dict())
        teacher.follow(own, 0)
        assert isinstance(teacher.copy, CausalLMPolicy)
        torch.testing.assert_close(first_weight(teacher.copy), torch.lerp(before, after, share))


def test_a_restarted_teacher_is_frozen_between_two_restarts() -> None:
    policy = tiny_policy()
    teacher = Teacher(policy, TeacherConfig(update="restart", restart_steps=3))
    assert isinstance(teacher.copy, CausalLMPolicy)
    seen = []
    for step in range(7):
        with torch.no_grad():
            next(policy.module.parameters()).add_(1.0)
        teacher.follow(policy, step)
        seen.append(round(float((first_weight(policy) - first_weight(teacher.copy)).mean())))
    assert seen == [1, 2, 0, 1, 2, 0, 1]


def test_the_target_moves_from_what_is_thought_without_the_hint() -> None:
    policy = tiny_policy()
    assert Teacher(policy, TeacherConfig()).mixture is None
    teacher = Teacher(policy, TeacherConfig(share=(0.5, 0.8), share_steps=10))
    assert isinstance(teacher.target, BlendedPolicy)
    shares = []
    for step in (0, 5, 10, 99):
        teacher.begin(step)
        shares.append(teacher.target.share)
    assert shares == pytest.approx([0.5, 0.65, 0.8, 0.8])
    row = replace(PLAIN, prompts=("hint c",), teacher_prompts=("c",), teacher_weights=torch.ones(2))
    with torch.no_grad():  # who is asked what was likely, and not for a target, has read the hint alone
        found, own = teacher.scoring.log_probs([row]).log_probs_N, policy.log_probs([row]).log_probs_N
    torch.testing.assert_close(found, own)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"share": (0.5, 0.8), "update": "trust_region"}, r"teacher\.share.*moves the logits already"),
        ({"share": (0.0, 1.0)}, "share"),
        ({"sequence_gradient": True, "alpha": 0.5}, r"teacher\.alpha: 0\.5.*leave it out, or alpha=0"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TeacherConfig(**settings)


@pytest.mark.parametrize("make", [tiny_policy, tiny_seq2seq])
def test_a_trust_region_moves_the_logits(make: Callable[[], LanguageModelPolicy]) -> None:
    policy = make()
    student = moved(policy)
    teacher = Teacher(policy, TeacherConfig(update="trust_region", rate=0.3))
    policy.module.load_state_dict(student.module.state_dict())
    anchor = make()
    every = ScoreRequest(top_k=10_000)
    with torch.no_grad():
        blended, one, two = (each.log_probs([PLAIN], request=every) for each in (teacher.scoring, anchor, student))
        logits = [each.support_log_probs_NK.gather(-1, each.support_NK.argsort(-1)) for each in (one, two)]
        expected = torch.lerp(*logits, 0.3).log_softmax(-1)
        assert blended.support_NK is not None and blended.support_log_probs_NK is not None
        found = blended.support_log_probs_NK.gather(-1, blended.support_NK.argsort(-1))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_trust_region_needs_a_language_model() -> None:
    with pytest.raises(ConfigError, match="trust_region"):
        Teacher(object(), TeacherConfig(update="trust_region"))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"teacher\.share.*language models"):
        Teacher(object(), TeacherConfig(share=(0.5, 0.8)))  # type: ignore[arg-type]


def attempt(reward: float) -> Trajectory:
    step = Step("asked", Action((5,), torch.zeros(1), "a"), terminated=True)
    return Trajectory("start", (step,), Feedback(reward=reward))


def trials(rewards: list[float], **settings: int) -> TeacherTrials:
    """A teacher that earns these rewards, one an attempt."""
    queue = list(rewards)

    def judging(answers: list[Trajectory]) -> list[Trajectory]:
        return [each.with_feedback(Feedback(reward=queue.pop(0))) for each in answers]

    return TeacherTrials(
        TeacherConfig(**settings),
        lambda prompts: [Action((6,), torch.zeros(1), prompt) for prompt in prompts],
        judging,  # type: ignore[arg-type]
    )


def told(groups: Sequence[Group]) -> Told:
    """The first attempt of each group is told something."""
    firsts = [group.trajectories[0] for group in groups]
    return {each.key: ("hint asked",) for each in firsts if each.key is not None}


def test_a_teacher_is_believed_while_it_earns_more() -> None:
    pairs = [(attempt(0.0), attempt(1.0)), (attempt(0.0), attempt(0.0))]
    groups = number_attempts([Group("start", pair) for pair in pairs])
    past: list[list[float]] = []
    good = trials([1.0, 0.0]).result(past, 0, told(groups), groups)
    assert good is not None and good.is_better and past == [[0.5, 0.25]] and good.complaint is None
    bad = trials([0.0, 0.0]).result(past, 5, told(groups), groups)
    assert bad is not None and not bad.is_better  # 0.25 on both sides
    assert bad.complaint is not None and "teacher pauses" in bad.complaint and "0.25" in bad.complaint


def test_trials_are_rare_and_limited_and_can_be_switched_off() -> None:
    groups = number_attempts([Group("start", (attempt(0.0),)) for _ in range(3)])
    past: list[list[float]] = []
    trials([1.0], check_prompts=1, check_steps=2).result(past, 2, told(groups), groups)
    assert len(past) == 1
    trials([]).result(past, 3, told(groups), groups)
    assert len(past) == 1
    assert trials([], check_steps=0).result([], 0, told(groups), groups) is None


def test_an_average_in_lower_precision_follows_as_far_as_in_full() -> None:
    """Rounded at every step it stood still: a twentieth of a small change is below bfloat16's resolution."""
    policy = tiny_policy()
    policy.module.to(torch.bfloat16)
    teacher = Teacher(policy, TeacherConfig(update="ema", rate=0.05))
    before = first_weight(policy).float()
    with torch.no_grad():
        for parameter in policy.module.parameters():
            parameter.mul_(1.01)
    for _ in range(60):
        teacher.follow(policy, 0)
    goal = first_weight(policy).float() - before
    moved = next(iter(teacher.weights.values())) - before
    assert float((moved * goal).sum() / goal.square().sum()) == pytest.approx(1 - 0.95**60, abs=0.01)
    assert isinstance(teacher.copy, CausalLMPolicy) and teacher.copy.model.dtype == torch.bfloat16
    torch.testing.assert_close(first_weight(teacher.copy), next(iter(teacher.weights.values())).to(torch.bfloat16))


def test_a_teacher_is_not_better_by_rounding() -> None:
    assert not TrialResult(sum([0.1] * 3) / 3, 0.1).is_better and sum([0.1] * 3) / 3 > 0.1
    assert TrialResult(0.1 * (1 + 1e-6), 0.1).is_better
