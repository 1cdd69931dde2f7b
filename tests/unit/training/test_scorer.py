"""What a run answers to hindsight methods."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from tiny_models import tiny_policy

from backsight.errors import ModelError
from backsight.feedback.pool import FeedbackPool
from backsight.hindsight.base import number_attempts
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.rollouts.engines import engine_for
from backsight.training.config import StopConfig, TeacherConfig, TrainingConfig
from backsight.training.progress import Progress
from backsight.training.scorer import RunScorer
from backsight.training.teacher import Teacher
from backsight.training.update import UpdateState
from backsight.types import Action, Example, Feedback, Group, Step, Trajectory


class Judge:
    """Rewards what starts a trajectory."""

    busy = ()

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
        return [Feedback(reward=float(each.start)) for each in trajectories]


def scorer_of(policy: CausalLMPolicy, **settings: Any) -> RunScorer:
    config = TrainingConfig(stop=StopConfig(max_steps=1), max_completion_length=4, **settings)
    teacher = Teacher(tiny_policy(seed=1), config.teacher)
    return RunScorer(
        policy, teacher, engine_for(policy), FeedbackPool(Judge()), config, UpdateState(config.micro_batch_size)
    )


def attempt(start: float, reward: float, *lengths: int, discounted: float = 0.0) -> Trajectory:
    """One step a length; `discounted` is paid at the first of them."""
    steps = tuple(
        Step("p", Action((5,) * length, torch.zeros(length), "x"), reward=0.0 if place else discounted)
        for place, length in enumerate(lengths)
    )
    return Trajectory(start, steps, Feedback(reward=reward))


def test_what_is_sampled_depends_on_the_step_and_is_counted() -> None:
    scorer = scorer_of(tiny_policy())
    values = []
    for step in (3, 3, 4):
        scorer.begin(Progress(step=step))
        values.append([[each.value for each in scorer.sample(["a", "b", "a"])] for _ in range(2)])
        assert scorer.extra_attempts == 6
    first, again, other = values
    assert first == again != other
    assert first[0] != first[1], "a second question has other draws"
    assert first[0][0] != first[0][2], "siblings draw apart"


def test_another_policy_acts_and_is_not_counted() -> None:
    scorer, other = scorer_of(tiny_policy()), tiny_policy(seed=1)
    scorer.begin(Progress())
    found = scorer.act(other, ["a"], "a test")
    assert scorer.extra_attempts == 0
    own = scorer_of(other)
    own.begin(Progress())
    assert own.sample(["a"])[0].value == found[0].value


def test_exchanges_are_scored_in_their_order_with_the_runs_temperature() -> None:
    policy = tiny_policy()
    scorer = scorer_of(policy, temperature=0.7, micro_batch_size=1)
    exchanges: list[Any] = [(("b",), ((5,),)), (("a longer prompt", "a"), ((5, 6), (7,)))]
    rows = [Example(*exchange, "test", torch.zeros(sum(map(len, exchange[1])))) for exchange in exchanges]
    for scores, own in ((scorer.log_probs, policy), (scorer.teacher_log_probs, tiny_policy(seed=1))):
        for row, found in zip(rows, scores(exchanges), strict=True):
            expected = own.log_probs([row], scorer.config.sampling).log_probs_N.detach()
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_scores_that_are_no_numbers_say_so() -> None:
    policy = tiny_policy()
    scorer = scorer_of(policy)
    with torch.no_grad():
        policy.model.lm_head.weight.fill_(torch.nan)
    with pytest.raises(ModelError, match="no longer finite: lower learning_rate"):
        scorer.log_probs([(("a",), ((5,),))])


def test_a_prompt_fits_with_a_completion_or_with_a_response() -> None:
    scorer = scorer_of(tiny_policy("gpt2"))  # 128 positions, and one token before the prompt
    assert scorer.fits(["x" * 123, "x"]) and not scorer.fits(["x", "x" * 124])
    assert scorer.fits(["x" * 124], (5, 6, 7)) and not scorer.fits(["x" * 123], (5,) * 5)


def test_trajectories_are_judged_in_their_order() -> None:
    scorer = scorer_of(tiny_policy())
    judged = scorer.judge([attempt(start, 0.0, 1) for start in (3.0, 1.0, 2.0)])
    assert [(each.start, each.feedback.reward) for each in judged] == [(3.0, 3.0), (1.0, 1.0), (2.0, 2.0)]


def test_advantages_are_those_of_the_estimator_for_each_decision() -> None:
    scorer = scorer_of(tiny_policy(), algorithm="dr_grpo", discount=0.5)
    # 1 at once and half of 4 a step later, against nothing: the mean is 1.5
    group = Group("s", (attempt(0.0, 4.0, 2, 1, discounted=1.0), attempt(0.0, 0.0, 1)))
    nobody = Group("t")
    estimated = scorer.estimate([group, nobody])
    assert [each.tolist() for each in estimated[0].advantages] == [[1.5, 1.5, 1.5], [-1.5]]
    assert estimated[1] == nobody and scorer.estimate([nobody]) == [nobody]


def test_a_critic_is_kept_where_the_algorithm_has_one() -> None:
    torch.manual_seed(0)
    scorer = scorer_of(tiny_policy(), algorithm="ppo")
    assert scorer.critic is not None and scorer_of(tiny_policy()).critic is None
    scorer.estimate(number_attempts([Group("s", (attempt(0.0, 1.0, 2), attempt(0.0, 0.0, 2)))]))
    assert scorer.critic.seen is not None
    scorer.finish()
    assert scorer.critic.seen is None, "what the step has shown is learnt"


def silent(start: float = 0.0) -> Trajectory:
    """An attempt that nobody scored, and for which the environment pays nothing."""
    return Trajectory(start, (Step("p", Action((5,), torch.zeros(1), "x")),))


def paid(reward: float) -> Trajectory:
    return silent().with_feedback(Feedback(reward=reward))


@pytest.mark.parametrize(
    ("algorithm", "rewards", "expected"),
    [
        ("dr_grpo", [2.0, 2.0, 2.0, None], [0, 0, 0, 0]),
        ("dr_grpo", [None, -1.0, -3.0, -2.0], [0, 1, -1, 0]),
        ("rloo", [1.0, None, 0.0], [1, 0, -1]),
        ("grpo", [None, -1.0, -1.0, -0.5], [0, -0.577, -0.577, 1.154]),
        ("reinforce", [None, 3.0, 1.0], [0, 1, -1]),
        ("dr_grpo", [None, 5.0], [0, 0]),  # what is alone has nothing to be compared with
        ("dr_grpo", [None, None], [0, 0]),
    ],
)
def test_what_nobody_scored_has_no_advantage_and_is_in_no_mean(
    algorithm: str, rewards: list[float | None], expected: list[float]
) -> None:
    attempts = tuple(silent() if reward is None else paid(reward) for reward in rewards)
    (group,) = scorer_of(tiny_policy(), algorithm=algorithm).estimate([Group("s", attempts)])
    assert [float(each) for each in group.advantages] == pytest.approx(expected, abs=1e-3)


def test_rloo_takes_the_divergence_off_the_reward() -> None:
    policy, reference = tiny_policy(), tiny_policy(seed=1)
    config = TrainingConfig(
        stop=StopConfig(max_steps=1), algorithm="dr_grpo", beta=0.5, kl_estimator="k1_reward", max_completion_length=4
    )
    state = UpdateState(config.micro_batch_size)
    scorer = RunScorer(policy, None, engine_for(policy), FeedbackPool(Judge()), config, state, reference)
    rows = [Example(("p",), (tokens,), "test", torch.zeros(2)) for tokens in ((5, 6), (7, 8))]
    sampled = [policy.log_probs([each], config.sampling).log_probs_N.detach() for each in rows]
    steps = [(Step("p", Action(each.responses[0], own_T, "x")),) for each, own_T in zip(rows, sampled, strict=True)]
    attempts = tuple(Trajectory(0.0, each, Feedback(reward=1.0)) for each in steps)
    groups = number_attempts([Group("s", attempts)])
    (group,) = scorer.estimate(groups)
    drifts = [
        float((own_T - reference.log_probs([each], config.sampling).log_probs_N.detach()).sum())
        for each, own_T in zip(rows, sampled, strict=True)
    ]
    half = -0.5 * (drifts[0] - drifts[1]) / 2
    assert abs(half) > 1e-3
    assert [each.tolist() for each in group.advantages] == [
        pytest.approx([half] * 2, abs=1e-4),
        pytest.approx([-half] * 2, abs=1e-4),
    ]
    assert group.trajectories == groups[0].trajectories, "what was earned stays as it is"


@pytest.mark.parametrize("algorithm", ["reinforce", "grpo", "rloo", "ppo"])
def test_a_policy_that_is_still_the_reference_has_no_divergence_to_take_off(algorithm: str) -> None:
    policy = tiny_policy()
    config = TrainingConfig(
        stop=StopConfig(max_steps=1), algorithm=algorithm, beta=0.5, kl_estimator="k1_reward", max_completion_length=9
    )
    state = UpdateState(config.micro_batch_size)
    scorer = RunScorer(policy, None, engine_for(policy), FeedbackPool(Judge()), config, state, policy.reference())
    scorer.begin(Progress())
    attempts = tuple(
        Trajectory(0.0, (Step("p", each, terminated=True),), Feedback(reward=0.0)) for each in scorer.sample(["p"] * 6)
    )
    (group,) = scorer.estimate(number_attempts([Group("s", attempts)]))
    assert not any(bool(each.any()) for each in group.advantages), "the sampler's rounding is nobody's merit"


def test_a_response_is_told_apart_token_by_token() -> None:
    scorer = scorer_of(tiny_policy(words=("red",)))
    assert scorer.pieces(scorer.encode(" red!")) == [" red", "!", "<end>"]


def test_a_step_says_how_much_of_the_target_is_the_teachers() -> None:
    scorer = scorer_of(tiny_policy(), teacher=TeacherConfig(share=(0.5, 1.0), share_steps=4))
    scorer.begin(Progress(step=2))
    assert scorer.teacher is not None and scorer.teacher.mixture is not None and scorer.teacher.mixture.share == 0.75
