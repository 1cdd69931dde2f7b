"""Pairs of siblings: which they are, and that what is learnt from them is DPO."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString
from unit.hindsight.fakes import FakeScorer, attempt, group_of, make_rows, refuse

from backsight.hindsight.advantage.options import BestOfNOptions, PreferenceOptions
from backsight.hindsight.base import Exchange
from backsight.hindsight.catalogue import ChainOptions, RouteOptions
from backsight.hindsight.options import OutcomeOptions
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.rollouts.engines import engine_for
from backsight.tasks.base import SingleTurn
from backsight.traces import Trace
from backsight.training.algorithms import LOSS_TYPES
from backsight.training.config import StopConfig, TeacherConfig, TrainingConfig
from backsight.training.progress import Progress
from backsight.training.trainer import EpisodeSource, Trainer
from backsight.training.update import update
from backsight.types import Action, Example, Feedback, Group, Step, Trajectory


def attempt_worth(reward: float, tokens: Sequence[int] = (7, 8), prompt: str = "asked") -> Trajectory:
    return attempt(tokens, Feedback(reward=reward), prompt=prompt)


def numbers(row: Example) -> list[float]:
    assert row.advantages is not None
    return row.advantages.tolist()


def test_the_advantage_is_that_of_the_formula() -> None:
    group = group_of(attempt_worth(0.0, (1,)), attempt_worth(1.0, (2, 3)))
    (row,) = make_rows(PreferenceOptions(beta=0.5), group)
    # log-ratios of -0.25 a token: -0.5 for the better, -0.25 for the worse, so that the margin is -0.25;
    # σ(0.5·0.25) = 1/(1 + e^-0.125) = 0.531209, times 0.5, times three decisions in a pair
    assert numbers(row) == pytest.approx([0.796814, 0.796814, -0.796814], abs=1e-5)
    assert (row.prompts, row.responses, row.method) == (("asked", "asked"), ((2, 3), (1,)), "preference")
    assert row.behaviour_log_probs is None and row.imitation_weights is None and row.teacher_prompts is None
    assert row.trajectory is not None and row.trajectory.key == (0, 1)


def test_the_factor_is_the_mean_number_of_decisions_of_a_pair() -> None:
    groups = [group_of(attempt_worth(0.0, (1,) * length), attempt_worth(1.0, (2,) * length)) for length in (1, 4)]
    short, long = make_rows(PreferenceOptions(beta=0.2), *groups)  # margins 0, pairs of 2 and 8 decisions
    assert numbers(short) == pytest.approx([0.5, -0.5]) and numbers(long) == pytest.approx([0.5] * 4 + [-0.5] * 4)


def test_what_is_learnt_already_fades() -> None:
    def score(exchange: Exchange) -> torch.Tensor:
        return torch.tensor([40.0 if exchange[1] == ((2,),) else -40.0])

    group = group_of(attempt_worth(0.0, (1,)), attempt_worth(1.0, (2,)))
    (row,) = make_rows(PreferenceOptions(), group, scorer=FakeScorer(score))
    # the teacher's -0.25 stands on both sides: the margin is 80, and 2·0.1·σ(-8) = 6.7e-5
    assert numbers(row) == pytest.approx([6.707e-5, -6.707e-5], rel=1e-3)


def test_the_best_is_paired_with_the_worst_and_so_on_inwards() -> None:
    group = group_of(*(attempt_worth(reward, (token,)) for token, reward in enumerate([0.3, 0.9, 0.1, 0.5, 0.7])))

    def pairs(count: int) -> list[tuple[int, int]]:
        rows = make_rows(PreferenceOptions(pairs=count), group)
        return [(each.responses[0][0], each.responses[1][0]) for each in rows]

    assert pairs(1) == [(1, 2)]
    assert pairs(2) == pairs(9) == [(1, 2), (4, 0)]  # the middle one has nobody left


def test_only_different_rewards_make_a_pair() -> None:
    equal = group_of(*[attempt_worth(0.0)] * 4)
    assert make_rows(PreferenceOptions(pairs=2), equal, scorer=FakeScorer(refuse, refuse)) == []
    rewards = {1: 0.0, 2: 1.0, 3: 0.0, 4: 0.0}
    lone = group_of(*(attempt_worth(reward, (token,)) for token, reward in rewards.items()))
    (row,) = make_rows(PreferenceOptions(pairs=2), lone)
    assert row.responses == ((2,), (4,))


@pytest.mark.parametrize("groups", [[], [Group("start")], [group_of(attempt_worth(1.0))]])
def test_nothing_teaches_nothing_and_costs_nothing(groups: list[Group]) -> None:
    assert make_rows(PreferenceOptions(), *groups, scorer=FakeScorer(refuse, refuse)) == []


def test_episodes_of_any_length_make_a_pair() -> None:
    def episode(length: int, reward: float) -> Trajectory:
        steps = tuple(Step(np.full(2, step), Action(np.array([step]), torch.zeros(1))) for step in range(length))
        return Trajectory(0, steps, Feedback(reward=reward))

    (row,) = make_rows(PreferenceOptions(), group_of(episode(2, 0.0), episode(3, 1.0)))
    assert [each[0] for each in row.prompts] == [0, 1, 2, 0, 1]
    assert [each > 0 for each in numbers(row)] == [True, True, True, False, False]


def test_a_pair_stays_whole_in_company() -> None:
    group = group_of(attempt_worth(0.0), attempt_worth(1.0))
    rows = make_rows(ChainOptions(methods=(OutcomeOptions(), PreferenceOptions(), BestOfNOptions())), group)
    assert [each.method for each in rows] == ["outcome", "outcome+best_of_n", "preference"]
    routed = make_rows(RouteOptions(then=PreferenceOptions(), otherwise=OutcomeOptions()), group)
    assert [each.method for each in routed] == ["outcome", "preference"]
    assert len(routed[1].responses) == 2


# The gradient of the weights against autograd's, of a loss written down once more.

BETA, CAP = 0.1, 8
ATTEMPTS = [
    [
        attempt_worth(1.0, (40, 41, 42), "x"),
        attempt_worth(0.5, (43,), "x"),
        attempt_worth(0.0, (44, 45, 46, 47, 0), "x"),
    ],
    [attempt_worth(-1.0, (50, 0), "yz"), attempt_worth(2.0, (51, 52), "yz")],
    [attempt_worth(0.0, (60, 61), "x"), attempt_worth(0.0, (62,), "x")],
]
PAIRS = [(ATTEMPTS[0][0], ATTEMPTS[0][2]), (ATTEMPTS[1][1], ATTEMPTS[1][0])]


def log_prob(policy: CausalLMPolicy, trajectory: Trajectory) -> torch.Tensor:
    """Of the whole response, from the model's own logits."""
    (response,) = trajectory.responses
    prompt = policy.prompt_tokens(trajectory.prompts[0])
    logits_TV = policy.model(input_ids=torch.tensor([[*prompt, *response]])).logits[0, len(prompt) - 1 : -1]
    return logits_TV.log_softmax(-1)[torch.arange(len(response)), torch.tensor(response)].sum()


def flat_gradient(policy: CausalLMPolicy) -> torch.Tensor:
    return torch.cat([each.grad.flatten() for each in policy.module.parameters() if each.grad is not None])


def dpo_gradient(policy: CausalLMPolicy, reference: CausalLMPolicy, weights_P: torch.Tensor) -> torch.Tensor:
    policy.module.zero_grad()
    losses = []
    for better, worse in PAIRS:
        margin = log_prob(policy, better) - log_prob(policy, worse)
        margin = margin - (log_prob(reference, better) - log_prob(reference, worse)).detach()
        losses.append(-torch.nn.functional.logsigmoid(BETA * margin))
    (torch.stack(losses) * weights_P).mean().backward()  # type: ignore[no-untyped-call]
    return flat_gradient(policy)


def update_gradient(policy: CausalLMPolicy, reference: CausalLMPolicy, **settings: Any) -> torch.Tensor:
    def scores(scored: CausalLMPolicy, exchange: Exchange) -> torch.Tensor:
        row = Example(*exchange, method="scored", imitation_weights=torch.ones(len(exchange[1][0])))
        return scored.log_probs([row]).log_probs_N.detach()

    scorer = FakeScorer(lambda exchange: scores(policy, exchange), lambda exchange: scores(reference, exchange))
    rows = make_rows(PreferenceOptions(beta=BETA), *(group_of(*each) for each in ATTEMPTS), scorer=scorer)
    config = TrainingConfig(
        stop=StopConfig(max_steps=1), max_completion_length=CAP, max_grad_norm=1e9, micro_batch_size=12, **settings
    )
    update(policy, None, rows, torch.optim.SGD(policy.module.parameters(), lr=0.0), config)
    return flat_gradient(policy)


def assert_same(one: torch.Tensor, two: torch.Tensor) -> None:
    assert float(two.norm()) > 1e-2
    assert float((one - two).norm() / two.norm()) < 1e-5


@pytest.mark.parametrize("loss_type", LOSS_TYPES)
def test_the_update_is_that_of_dpo_whatever_the_loss(loss_type: str) -> None:
    policy, reference = tiny_policy(), tiny_policy(seed=1)
    expected = dpo_gradient(policy, reference, torch.ones(2))
    assert_same(update_gradient(policy, reference, algorithm="reinforce", loss_type=loss_type), expected)


@pytest.mark.parametrize("algorithm", ["rloo", "dapo", "cispo", "ppo"])
def test_averaged_over_tokens_it_is_the_mean_over_pairs(algorithm: str) -> None:
    policy, reference = tiny_policy(), tiny_policy(seed=1)
    expected = dpo_gradient(policy, reference, torch.ones(2))
    assert_same(update_gradient(policy, reference, algorithm=algorithm), expected)


def test_averaged_by_the_cap_it_is_that_times_a_constant() -> None:
    policy, reference = tiny_policy(), tiny_policy(seed=1)
    expected = dpo_gradient(policy, reference, torch.full((2,), 6 / CAP))  # pairs of 8 and of 4 decisions
    assert_same(update_gradient(policy, reference, algorithm="dr_grpo"), expected)


@pytest.mark.parametrize("algorithm", ["grpo", "gspo", "sapo"])
def test_averaged_over_rows_longer_pairs_count_less(algorithm: str) -> None:
    policy, reference = tiny_policy(), tiny_policy(seed=1)
    expected = dpo_gradient(policy, reference, torch.tensor([6 / 8, 6 / 4]))
    assert_same(update_gradient(policy, reference, algorithm=algorithm), expected)


class Notes:
    def __init__(self) -> None:
        self.metrics: list[dict[str, float]] = []
        self.messages: list[str] = []

    def record(
        self, progress: Progress, metrics: dict[str, float], groups: Sequence[Group], traces: Sequence[Trace]
    ) -> None:
        self.metrics.append(metrics)

    def tell(self, progress: Progress, message: str) -> None:
        self.messages.append(message)

    def flush(self) -> None:
        """Nothing is put off."""


def test_the_teacher_is_the_start_and_is_neither_tried_nor_paused() -> None:
    def feedback(trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
        return [Feedback(reward=float(number), correction=" red") for number in range(len(trajectories))]

    policy, notes = tiny_policy(words=WORDS), Notes()
    start = copy.deepcopy(policy.module.state_dict())
    config = TrainingConfig(
        stop=StopConfig(max_steps=3),
        teacher=TeacherConfig(check_steps=1),
        learning_rate=1e-2,
        prompts_per_step=3,
        num_generations=3,
        max_completion_length=3,
    )
    source = EpisodeSource(engine_for(policy), SingleTurn, GoalString(2).items("train"), feedback)
    run = Trainer(policy, source, PreferenceOptions().build(), config, recorders=[notes])
    run.train()
    assert [each["examples/preference"] for each in notes.metrics] == [3.0] * 3
    assert not [key for each in notes.metrics for key in each if key.startswith("teacher/") or "extra" in key]
    assert notes.messages == [] and run.progress.attempts == 27 and run.progress.teacher_trials == []
    assert run.teacher is not None
    kept = run.teacher.copy.module.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in start.items())
    assert not all(torch.equal(policy.module.state_dict()[name], value) for name, value in start.items())
