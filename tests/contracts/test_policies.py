"""What every policy and its engine promise, whatever they are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import pytest
import torch
from tiny_models import tiny_classifier, tiny_policy, tiny_seq2seq
from torch import nn

from backsight.environments.gymnasium import GymnasiumEnvironment, GymnasiumEpisode
from backsight.hindsight.base import policy_gradient_row
from backsight.interfaces import EnvironmentFactory
from backsight.policies.base import Policy
from backsight.policies.distributions import CategoricalHead, GaussianHead
from backsight.policies.module import ModulePolicy
from backsight.policies.text import TextPolicy
from backsight.rollouts.base import Engine
from backsight.rollouts.collect import collect
from backsight.rollouts.engines import engine_for
from backsight.tasks.base import Item, SingleTurn
from backsight.types import Example, Group, Sampling, ScoreRequest


@dataclass
class Case:
    policy: Policy
    engine: Engine
    environments: EnvironmentFactory
    starts: list[object]
    side_by_side: int | None = None
    siblings_cost_nothing: bool = False


def reads_text(make: Callable[[], TextPolicy], *, siblings_cost_nothing: bool = False) -> Callable[[], Case]:
    def case() -> Case:
        policy = make()
        items: list[object] = [Item(text, text) for text in ("", "a", "longer prompt")]
        return Case(policy, engine_for(policy), SingleTurn, items, siblings_cost_nothing=siblings_cost_nothing)

    return case


def gymnasium_module(name: str, outputs: int) -> Callable[[], Case]:
    def make() -> Case:
        torch.manual_seed(0)
        environment = GymnasiumEnvironment(gymnasium.make(name))
        sizes = environment.action_sizes
        head = GaussianHead(environment.action_scale) if sizes is None else CategoricalHead(sizes)
        module = nn.Sequential(nn.Linear(environment.observation_width, 16), nn.Tanh(), nn.Linear(16, outputs))
        policy = ModulePolicy(module, head, environment.sample_observations(4))
        return Case(
            policy,
            engine_for(policy),
            lambda seed: GymnasiumEpisode(environment, seed, 20),
            [1, 2, 3],
            side_by_side=1,
        )

    return make


CASES = {
    "language model": reads_text(tiny_policy),
    "encoder-decoder": reads_text(tiny_seq2seq),
    "encoder-decoder that is forced to begin": reads_text(lambda: tiny_seq2seq("bart")),
    "classifier": reads_text(lambda: tiny_classifier(("bad", "good")), siblings_cost_nothing=True),
    "discrete actions": gymnasium_module("CartPole-v1", 2),
    "continuous actions": gymnasium_module("Pendulum-v1", 1),
}
SAMPLING = Sampling(temperature=0.8, max_completion_length=6)


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]()


def rolled_out(case: Case, seed: int = 0) -> list[Group]:
    groups = collect(case.engine, case.environments, case.starts, 2, SAMPLING, seed, side_by_side=case.side_by_side)
    return [group for _, group in sorted(groups, key=lambda numbered: numbered[0])]


def examples_of(groups: list[Group]) -> list[Example]:
    return [
        policy_gradient_row(each, torch.zeros(each.num_decisions)) for group in groups for each in group.trajectories
    ]


def test_sampler_and_learner_agree(case: Case) -> None:
    examples = examples_of(rolled_out(case))
    learner_N = case.policy.log_probs(examples, SAMPLING).log_probs_N
    sampler_N = torch.cat([each.behaviour_log_probs for each in examples if each.behaviour_log_probs is not None])
    assert torch.allclose(learner_N, sampler_N, atol=1e-4)


def test_scores_do_not_depend_on_the_batch(case: Case) -> None:
    examples = examples_of(rolled_out(case))
    together_N = case.policy.log_probs(examples).log_probs_N
    alone_N = torch.cat([case.policy.log_probs([each]).log_probs_N for each in examples])
    assert torch.allclose(together_N, alone_N, atol=1e-4)


def test_scores_are_flat_and_differentiable(case: Case) -> None:
    examples = examples_of(rolled_out(case))
    decisions = case.policy.log_probs(examples, request=ScoreRequest(entropy=True))
    count = sum(each.num_decisions for each in examples)
    assert decisions.entropy_N is not None
    assert decisions.log_probs_N.shape == decisions.entropy_N.shape == (count,)
    decisions.log_probs_N.sum().backward()
    assert any(each.grad is not None and each.grad.any() for each in case.policy.module.parameters())


def test_the_seed_decides_the_rollout(case: Case) -> None:
    def actions(seed: int) -> list[object]:
        groups = rolled_out(case, seed)
        return [
            step.action.log_probs.tolist() for group in groups for each in group.trajectories for step in each.steps
        ]

    assert actions(1) == actions(1)
    assert actions(1) != actions(2)


def test_micro_batches_hold_every_example_once_and_obey_the_budget(case: Case) -> None:
    examples = examples_of(rolled_out(case))
    whole = case.policy.micro_batches(examples, 10**6)
    cut = case.policy.micro_batches(examples, 1)
    assert sorted(index for batch in whole for index in batch) == list(range(len(examples)))
    alone = 2 if case.siblings_cost_nothing else 1
    assert sorted(cut) == [list(range(first, first + alone)) for first in range(0, len(examples), alone)]
    assert len(whole) == 1


def test_weights_are_saved_as_safetensors_alone(case: Case, tmp_path: Path) -> None:
    case.policy.save(tmp_path)
    assert (tmp_path / "model.safetensors").is_file()
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".bin", ".pt", ".pkl", ".pth")]


def test_an_episode_ends_once_and_says_how(case: Case) -> None:
    for group in rolled_out(case):
        for trajectory in group.trajectories:
            *before, last = trajectory.steps
            assert not any(step.terminated or step.truncated for step in before)
            assert last.terminated or last.truncated


def test_a_response_falls_into_a_piece_for_each_decision(case: Case) -> None:
    for trajectory in (each for group in rolled_out(case) for each in group.trajectories):
        for step in trajectory.steps:
            pieces = case.policy.pieces(step.action.value)
            assert len(pieces) == len(step.action.log_probs)
            if step.action.text is not None:
                assert "".join(pieces).startswith(step.action.text)
