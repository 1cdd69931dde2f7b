"""The one table of algorithms: what it names is there, and does what its name says at the start."""

import inspect
from typing import get_type_hints

import pytest
import torch

from backsight.errors import ConfigError
from backsight.estimators.advantages import ESTIMATORS
from backsight.losses.policy_gradient import POLICY_LOSSES, REDUCTIONS, LossBounds, LossInputs, LossOutputs
from backsight.training.algorithms import ALGORITHMS, CRITIC, LOSS_TYPES
from backsight.training.config import StopConfig, TrainingConfig


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_row_names_what_there_is(name: str) -> None:
    row = ALGORITHMS[name]
    assert row.estimator in {*ESTIMATORS, CRITIC}
    assert row.reduction in REDUCTIONS
    assert row.loss_type in POLICY_LOSSES
    assert 0 <= row.epsilon <= row.epsilon_high and row.source


def test_settings_know_every_loss() -> None:
    assert tuple(POLICY_LOSSES) == LOSS_TYPES


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_row_says_whether_siblings_are_compared(name: str) -> None:
    row = ALGORITHMS[name]
    if row.compares_siblings:
        with pytest.raises(ConfigError, match="num_generations"):
            ESTIMATORS[row.estimator]([[torch.ones(1)]])
    elif row.estimator != CRITIC:
        ESTIMATORS[row.estimator]([[torch.ones(1)]])


@pytest.mark.parametrize("loss_type", LOSS_TYPES)
def test_every_loss_has_the_one_signature(loss_type: str) -> None:
    loss = POLICY_LOSSES[loss_type]
    assert list(inspect.signature(loss).parameters) == ["inputs", "bounds"]
    assert get_type_hints(loss) == {"inputs": LossInputs, "bounds": LossBounds, "return": LossOutputs}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_every_reduction_has_the_one_signature(name: str) -> None:
    assert list(inspect.signature(REDUCTIONS[name]).parameters) == ["lengths", "max_length"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("loss_type", [None, *LOSS_TYPES])
@pytest.mark.parametrize("advantage", [2.0, -3.0])
def test_at_ratio_one_a_decision_has_the_plain_gradient(
    algorithm: str, loss_type: str | None, advantage: float
) -> None:
    """With the bounds of every algorithm; nothing is held back there."""
    config = TrainingConfig(stop=StopConfig(max_steps=1), algorithm=algorithm, loss_type=loss_type)
    chosen, epsilon, epsilon_high = config.loss
    assert chosen == (loss_type or ALGORITHMS[algorithm].loss_type)
    log_probs = torch.tensor([0.3]).log().requires_grad_()
    inputs = LossInputs(log_probs, log_probs.detach().clone(), torch.tensor([advantage]), [1])
    losses, held_back = POLICY_LOSSES[chosen](inputs, LossBounds(epsilon, epsilon_high))
    losses.sum().backward()
    assert log_probs.grad is not None and float(log_probs.grad) == pytest.approx(-advantage)
    assert not held_back.any()
