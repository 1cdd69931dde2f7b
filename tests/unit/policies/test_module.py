"""Modules as policies: what is a probability, what is a log-probability, and what does not fit."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from backsight.errors import ConfigError, ModelError, SpaceError
from backsight.policies.distributions import ActionHead, CategoricalHead, GaussianHead
from backsight.policies.module import ModulePolicy
from backsight.types import Action, Example, Sampling, ScoreRequest

SAMPLES_ND = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
ZEROS_D = np.zeros(3, np.float32)


def acted(policy: ModulePolicy, observations: list[NDArray[np.float32]], sampling: Sampling, seed: int) -> list[Action]:
    """One action an observation, each with a seed of its own."""
    seeds = range(seed * 10**6, seed * 10**6 + len(observations))
    return [action for _, action in policy.act(observations, sampling, seeds)]


class Constant(nn.Module):
    """Returns the same numbers, whatever it sees."""

    def __init__(self, values: list[float], ending: Callable[[Tensor], Tensor] = lambda values: values) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.tensor(values))
        self.ending = ending

    def forward(self, observations: Tensor) -> Tensor:
        return self.ending(self.values.expand(len(observations), -1))


class Function(nn.Module):
    """A linear layer, and something done to its output."""

    def __init__(self, width: int, ending: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.layer = nn.Linear(3, width)
        self.ending = ending

    def forward(self, observations: Tensor) -> object:
        return self.ending(self.layer(observations))


def softmax(values: Tensor) -> Tensor:
    return values.softmax(-1)


def policy_of(module: nn.Module, head: ActionHead) -> ModulePolicy:
    return ModulePolicy(module, head, SAMPLES_ND)


def example_of(*responses: list[float], dtype: type = np.int64) -> Example:
    return Example(
        prompts=(ZEROS_D,) * len(responses),
        responses=tuple(np.array(response, dtype) for response in responses),
        method="test",
    )


def linear(width: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, width))


@pytest.mark.parametrize("ending", [softmax, lambda values: values], ids=["probabilities", "logits"])
@pytest.mark.parametrize(("temperature", "probs"), [(1.0, [0.25, 0.75]), (0.5, [0.1, 0.9])])
def test_probabilities_and_logits_are_the_same_policy(
    ending: Callable[[Tensor], Tensor], temperature: float, probs: list[float]
) -> None:
    policy = policy_of(Constant([0.0, math.log(3)], ending), CategoricalHead([2]))
    log_probs_N = policy.log_probs([example_of([0]), example_of([1], [1])], sampling=Sampling(temperature)).log_probs_N
    assert log_probs_N.exp().tolist() == pytest.approx([probs[0], probs[1], probs[1]])


def test_logits_that_happen_to_sum_to_one_are_still_logits() -> None:
    policy = policy_of(Constant([0.5, 0.5, 0.0]), CategoricalHead([3]))
    assert not policy.gives_probabilities
    weight = math.exp(0.5)
    expected = [weight / (2 * weight + 1), 1 / (2 * weight + 1)]
    assert policy.log_probs([example_of([0], [2])]).log_probs_N.exp().tolist() == pytest.approx(expected)


def test_a_probability_that_underflows_keeps_everything_finite() -> None:
    policy = policy_of(Constant([200.0, 0.0], softmax), CategoricalHead([2]))
    decisions = policy.log_probs([example_of([0], [1])], request=ScoreRequest(entropy=True))
    decisions.log_probs_N.sum().backward()
    assert decisions.log_probs_N.isfinite().all()
    assert decisions.entropy_N is not None and decisions.entropy_N.isfinite().all()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in policy.module.parameters())


@pytest.mark.parametrize("gives_probabilities", [True, False])
def test_a_multi_discrete_action_is_the_sum_of_its_parts(gives_probabilities: bool) -> None:
    def blockwise(values: Tensor) -> Tensor:
        return torch.cat([values[:, :2].softmax(-1), values[:, 2:].softmax(-1)], -1) if gives_probabilities else values

    logits = [0.0, math.log(3), 0.0, math.log(2), 0.0]
    policy = policy_of(Constant(logits, blockwise), CategoricalHead([2, 3]))
    assert policy.gives_probabilities == gives_probabilities
    decisions = policy.log_probs([example_of([1, 1], [0, 2])], request=ScoreRequest(entropy=True, uniform=True))
    assert decisions.log_probs_N.exp().tolist() == pytest.approx([0.75 * 0.5, 0.25 * 0.25])
    entropy = -sum(p * math.log(p) for p in (0.25, 0.75, 0.25, 0.5, 0.25))
    assert decisions.entropy_N is not None
    assert decisions.entropy_N.tolist() == pytest.approx([entropy] * 2)
    uniform = (math.log(0.25) + math.log(0.75)) / 2 + (2 * math.log(0.25) + math.log(0.5)) / 3
    assert decisions.uniform_log_probs_N is not None
    assert decisions.uniform_log_probs_N.tolist() == pytest.approx([uniform] * 2)


@pytest.mark.parametrize(
    ("outputs", "temperature", "deviations"),
    [
        ([1.0, -1.0], 1.0, (0.5, 2.0)),
        ([1.0, -1.0, 0.0, math.log(3)], 1.0, (1.0, 3.0)),
        ([1.0, -1.0, 0.0, math.log(3)], 4.0, (2.0, 6.0)),
    ],
    ids=["given deviations", "own deviations", "temperature"],
)
def test_a_continuous_action_has_the_density_of_a_gaussian(
    outputs: list[float], temperature: float, deviations: tuple[float, float]
) -> None:
    policy = policy_of(Constant(outputs), GaussianHead([0.5, 2.0]))
    decisions = policy.log_probs(
        [example_of([2.0, 1.0], dtype=np.float32)], sampling=Sampling(temperature), request=ScoreRequest(entropy=True)
    )
    density = [
        math.exp(-(((action - mean) / std) ** 2) / 2) / (std * math.sqrt(2 * math.pi))
        for action, mean, std in zip([2.0, 1.0], [1.0, -1.0], deviations, strict=True)
    ]
    assert decisions.log_probs_N.tolist() == pytest.approx([math.log(density[0]) + math.log(density[1])])
    entropy = sum(0.5 * math.log(2 * math.pi * math.e * std**2) for std in deviations)
    assert decisions.entropy_N is not None
    assert decisions.entropy_N.tolist() == pytest.approx([entropy])


def test_continuous_actions_cannot_be_smoothed() -> None:
    policy = policy_of(linear(2), GaussianHead([1.0, 1.0]))
    with pytest.raises(ConfigError, match="label_smoothing_factor"):
        policy.log_probs([example_of([0.0, 0.0], dtype=np.float32)], request=ScoreRequest(uniform=True))


HEADS: list[tuple[ActionHead, int]] = [
    (CategoricalHead([4]), 4),
    (CategoricalHead([2, 3]), 5),
    (GaussianHead([0.3, 2.0]), 2),
    (GaussianHead([0.3, 2.0]), 4),
]


@pytest.mark.parametrize(("head", "width"), HEADS)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_sampler_and_learner_agree_on_log_probabilities(head: ActionHead, width: int, temperature: float) -> None:
    policy = policy_of(linear(width), head)
    actions = acted(policy, list(SAMPLES_ND), Sampling(temperature), 3)
    example = Example(tuple(SAMPLES_ND), tuple(action.value for action in actions), "test")
    learner_N = policy.log_probs([example], sampling=Sampling(temperature)).log_probs_N
    assert [len(action.log_probs) for action in actions] == [1] * 6
    torch.testing.assert_close(torch.cat([action.log_probs for action in actions]), learner_N.detach())


def values_of(actions: list[Action]) -> list[list[float]]:
    return [action.value.tolist() for action in actions]


@pytest.mark.parametrize(("head", "width"), HEADS)
def test_a_seed_settles_the_draws_and_siblings_draw_apart(head: ActionHead, width: int) -> None:
    policy = policy_of(linear(width), head)
    siblings = [ZEROS_D] * 50
    first, again, other = (values_of(acted(policy, siblings, Sampling(), seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert len({tuple(value) for value in first}) > 1


def test_actions_are_drawn_as_often_as_they_are_likely() -> None:
    policy = policy_of(Constant([math.log(0.2), math.log(0.5), math.log(0.3)]), CategoricalHead([3]))
    actions = acted(policy, [ZEROS_D] * 20_000, Sampling(), 0)
    shares = np.bincount([action.value[0] for action in actions], minlength=3) / 20_000
    assert shares.tolist() == pytest.approx([0.2, 0.5, 0.3], abs=0.015)  # four standard errors


@pytest.mark.parametrize(
    ("head", "outputs", "best"),
    [(CategoricalHead([2, 2]), [0.1, 0.2, 0.4, 0.3], [1, 0]), (GaussianHead([1.0, 1.0]), [3.0, -2.0], [3.0, -2.0])],
)
def test_temperature_zero_takes_the_most_likely_action(
    head: ActionHead, outputs: list[float], best: list[float]
) -> None:
    policy = policy_of(Constant(outputs), head)
    assert values_of(acted(policy, [ZEROS_D] * 3, Sampling(0.0), 5)) == [best] * 3


def test_dropout_is_off_while_acting_and_only_then() -> None:
    module = nn.Sequential(linear(8), nn.Dropout(0.5), nn.Linear(8, 2))
    policy = policy_of(module, CategoricalHead([2]))
    assert module.training, "looking at the module must not change its mode"
    module.train()
    first, second = (acted(policy, [ZEROS_D], Sampling(), seed)[0] for seed in (0, 0))
    assert torch.equal(first.log_probs, second.log_probs)
    module.train()
    noisy = [policy.log_probs([example_of([0])]).log_probs_N.item() for _ in range(8)]
    assert len(set(noisy)) > 1


def test_trying_a_module_leaves_its_buffers_alone() -> None:
    module = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2), nn.Softmax(-1))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    assert policy_of(module, CategoricalHead([2])).gives_probabilities
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_module_in_double_precision_works() -> None:
    policy = policy_of(linear(2).double(), CategoricalHead([2]))
    assert policy.log_probs([example_of([0])]).log_probs_N.dtype == torch.float32
    assert acted(policy, [ZEROS_D], Sampling(), 0)[0].log_probs.dtype == torch.float32


@pytest.mark.parametrize(
    ("module", "head", "message"),
    [
        (linear(3), CategoricalHead([2]), r"\(6, 3\) for 6 observations: return 2 probabilities or logits"),
        (linear(3), GaussianHead([1.0, 1.0]), "return 2 means, or 2 means and as many log-deviations"),
        (nn.Linear(4, 2), CategoricalHead([2]), "cannot read a batch of observations of 3 numbers"),
        (Function(2, lambda values: values * math.nan), CategoricalHead([2]), "returned NaN or infinity"),
        (Function(2, lambda values: values.softmax(0)), CategoricalHead([2]), r"use softmax\(dim=-1\)"),
        (Function(2, lambda values: values.squeeze(0)), CategoricalHead([2]), r"\(2,\) for 1 observations"),
        (Function(2, lambda values: (values, None)), CategoricalHead([2]), "gave tuple for 6 observations"),
    ],
    ids=["width", "width of means", "input", "NaN", "softmax over the batch", "squeezed", "tuple"],
)
def test_a_module_that_does_not_fit_is_refused(module: nn.Module, head: ActionHead, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        policy_of(module, head)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Softmax(-1), "has no trainable weights"),
        (Function(2, Tensor.detach), "do not depend on weights"),
    ],
)
def test_a_module_that_cannot_learn_is_refused(module: nn.Module, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        policy_of(module, CategoricalHead([2]))


def test_a_module_that_diverges_says_so() -> None:
    policy = policy_of(linear(2), CategoricalHead([2]))
    with torch.no_grad():
        next(policy.module.parameters()).fill_(math.nan)
    with pytest.raises(ModelError, match="no longer finite: lower learning_rate"):
        acted(policy, [ZEROS_D], Sampling(), 0)


def test_a_module_has_no_words() -> None:
    with pytest.raises(ModelError, match="reads no text"):
        policy_of(linear(2), CategoricalHead([2])).encode("left")


def test_what_is_saved_is_the_state_of_the_module(tmp_path: Path) -> None:
    policy = policy_of(linear(2), CategoricalHead([2]))
    policy.save(tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    assert saved.keys() == policy.module.state_dict().keys()
    assert all(torch.equal(saved[name], value) for name, value in policy.module.state_dict().items())


def test_an_action_is_one_piece() -> None:
    policy = policy_of(Constant([0.0, 0.0]), CategoricalHead([2]))
    assert policy.pieces(np.array([1])) == ["1"]
    assert policy.pieces(np.array([0.25, -1.0], np.float32)) == ["0.25, -1"]
