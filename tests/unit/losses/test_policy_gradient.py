"""Policy-gradient losses, against numbers worked out by hand."""

import math
from collections.abc import Sequence

import pytest
import torch

from backsight.losses.policy_gradient import (
    POLICY_LOSSES,
    REDUCTIONS,
    LossBounds,
    LossInputs,
    LossOutputs,
    cispo,
    clip,
    constant,
    dual_clip,
    gspo,
    plain_policy_gradient,
    policy_gradient,
    sapo,
    sequence_clip,
    sequence_mean,
    shaped_policy_gradient,
    tis,
    token_mean,
)


def logs(*values: float) -> torch.Tensor:
    return torch.tensor(values).log()


def inputs(
    log_probs: torch.Tensor,
    behaviour_log_probs: torch.Tensor,
    advantages: Sequence[float],
    lengths: Sequence[int] | None = None,
) -> LossInputs:
    """What a loss is made of; without `lengths`, examples of one decision each."""
    return LossInputs(log_probs, behaviour_log_probs, torch.tensor(advantages), lengths or [1] * len(advantages))


def test_plain_policy_gradient() -> None:
    expected = [-2 * math.log(0.5), math.log(0.25)]
    assert plain_policy_gradient(logs(0.5, 0.25), torch.tensor([2.0, -1.0])).tolist() == pytest.approx(expected)
    losses, held_back = policy_gradient(inputs(logs(0.5, 0.25), logs(0.1, 0.9), [2.0, -1.0]), LossBounds())
    assert losses.tolist() == pytest.approx(expected), "who sampled does not matter to it"
    assert held_back.tolist() == [False, False]


def test_shaped_policy_gradient_by_hand() -> None:
    # A·π/(π + γ) with γ = 0.1; its gradient by log π is A·πγ/(π + γ)²
    log_probs = logs(0.4, 0.1).requires_grad_()
    losses = shaped_policy_gradient(log_probs, torch.tensor([2.0, -1.0]), torch.tensor([0.1, 0.1]))
    assert losses.tolist() == pytest.approx([-2 * 0.8, 0.5])
    losses.sum().backward()
    assert log_probs.grad is not None
    assert log_probs.grad.tolist() == pytest.approx([-2 * 0.16, 0.25])


def test_clipped_ratio_by_hand() -> None:
    # ratios 2, 2, 0.5, 0.5 with advantages +1, -1, +1, -1 and a clip to [0.8, 1.3]
    losses, held_back = clip(
        inputs(logs(0.5, 0.5, 0.25, 0.25), logs(0.25, 0.25, 0.5, 0.5), [1.0, -1.0, 1.0, -1.0]), LossBounds(0.2, 0.3)
    )
    assert losses.tolist() == pytest.approx([-1.3, 2.0, -0.5, 0.8])
    assert held_back.tolist() == [True, False, False, True]


def test_a_clipped_decision_has_no_gradient() -> None:
    log_probs = logs(0.5, 0.25).requires_grad_()
    losses, _ = clip(inputs(log_probs, logs(0.25, 0.25), [1.0, 1.0]), LossBounds(0.2, 0.2))
    losses.sum().backward()
    assert log_probs.grad is not None
    assert log_probs.grad.tolist() == pytest.approx([0.0, -1.0])


def test_at_ratio_one_clipped_and_plain_have_the_same_gradient() -> None:
    behaviour = logs(0.5, 0.1)
    gradients = []
    for loss in (clip, policy_gradient):
        log_probs = behaviour.clone().requires_grad_()
        loss(inputs(log_probs, behaviour, [2.0, -3.0]), LossBounds(0.2, 0.2)).losses_N.sum().backward()
        gradients.append(log_probs.grad)
    assert torch.allclose(gradients[0], gradients[1])


def test_truncated_importance_weights_by_hand() -> None:
    # ratios 4 and 0.5, the first cut to 2; the weights have no gradient of their own
    log_probs = logs(0.5, 0.25).requires_grad_()
    losses, cut = tis(inputs(log_probs, logs(0.125, 0.5), [1.0, -3.0]), LossBounds(importance_cap=2.0))
    assert losses.tolist() == pytest.approx([-2 * math.log(0.5), 0.5 * 3 * math.log(0.25)])
    assert cut.tolist() == [True, False]
    losses.sum().backward()
    assert log_probs.grad is not None
    assert log_probs.grad.tolist() == pytest.approx([-2.0, 1.5])


def test_cispo_bounds_its_weights_on_both_sides() -> None:
    losses, cut = cispo(inputs(logs(0.5, 0.25, 0.5), logs(0.125, 0.5, 0.5), [1.0] * 3), LossBounds(0.2, 0.2))
    assert losses.tolist() == pytest.approx([-1.2 * math.log(0.5), -0.8 * math.log(0.25), -math.log(0.5)])
    assert cut.tolist() == [True, True, False]


def test_dual_clip_by_hand() -> None:
    # ratios 10, 10, 2, 0.5: a bad decision that has become ten times as likely weighs three times its advantage
    losses, held_back = dual_clip(
        inputs(logs(0.5, 0.5, 0.5, 0.1), logs(0.05, 0.05, 0.25, 0.2), [-2.0, 1.0, -1.0, -1.0]),
        LossBounds(0.2, 0.2, delta=3.0),
    )
    assert losses.tolist() == pytest.approx([6.0, -1.2, 2.0, 0.8])
    assert held_back.tolist() == [True, True, False, True]


def test_the_soft_gate_by_hand() -> None:
    bounds = LossBounds(temperature_pos=1.0, temperature_neg=1.05)
    losses, held_back = sapo(inputs(logs(0.5, 0.5), logs(0.25, 0.25), [1.0, -1.0]), bounds)
    expected = [-4 / (1 + math.exp(-1.0)), 4 / 1.05 / (1 + math.exp(-1.05))]
    assert losses.tolist() == pytest.approx(expected)
    assert held_back.tolist() == [False, False]


@pytest.mark.parametrize("loss_type", POLICY_LOSSES)
def test_at_ratio_one_every_loss_has_the_plain_gradient(loss_type: str) -> None:
    advantages, behaviour = [2.0, -3.0], logs(0.5, 0.1)
    log_probs = behaviour.clone().requires_grad_()
    outputs = POLICY_LOSSES[loss_type](inputs(log_probs, behaviour, advantages), LossBounds())
    assert isinstance(outputs, LossOutputs) and not outputs.held_back_N.any()
    outputs.losses_N.sum().backward()
    assert log_probs.grad is not None
    assert torch.allclose(log_probs.grad, -torch.tensor(advantages))


def test_a_sequence_has_one_ratio() -> None:
    # logarithms of ratios 1, 3 and 5, in a sequence of two decisions and one of one: means 2, 2 and 5
    log_ratios = torch.tensor([1.0, 3.0, 5.0]).requires_grad_()
    losses, held_back = gspo(inputs(log_ratios, torch.zeros(3), [1.0] * 3, [2, 1]), LossBounds(0.2, math.exp(6.0)))
    assert losses.tolist() == pytest.approx([-math.exp(2.0), -math.exp(2.0), -math.exp(5.0)])
    assert held_back.tolist() == [False] * 3
    losses.sum().backward()
    assert log_ratios.grad is not None  # each decision moves the ratio of its sequence by its share
    assert log_ratios.grad.tolist() == pytest.approx([-math.exp(2.0), -math.exp(2.0), -math.exp(5.0)])


def test_the_ratio_of_a_sequence_is_clipped_as_a_whole() -> None:
    log_ratios = torch.tensor([1.0, 3.0, 0.0])
    losses, held_back = gspo(inputs(log_ratios, torch.zeros(3), [1.0, -1.0, 1.0], [2, 1]), LossBounds(0.2, 0.3))
    assert losses.tolist() == pytest.approx([-1.3, math.exp(2.0), -1.0])
    assert held_back.tolist() == [True, False, False]


def test_reductions_by_hand() -> None:
    assert token_mean([1, 3]).tolist() == pytest.approx([0.25] * 4)
    assert sequence_mean([1, 3]).tolist() == pytest.approx([0.5, 1 / 6, 1 / 6, 1 / 6])
    assert constant([1, 3], 10).tolist() == pytest.approx([1 / 20] * 4)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_nothing_to_learn_weighs_nothing(name: str) -> None:
    assert REDUCTIONS[name]([], 10).tolist() == []


@pytest.mark.parametrize("name", REDUCTIONS)
def test_an_example_without_decisions_has_no_weights(name: str) -> None:
    assert len(REDUCTIONS[name]([0, 2], 10)) == 2


def test_the_cap_concerns_the_constant_alone() -> None:
    for name, reduction in REDUCTIONS.items():
        assert (reduction([1, 3], 10).tolist() == reduction([1, 3], 20).tolist()) == (name != "constant")


def test_credit_of_tokens_that_cancels_in_the_mean_still_teaches_each_token() -> None:
    """GSPO-token (Zheng 2025, arXiv:2507.18071, eq. 13): each decision has the gradient of its own ratio."""
    log_probs = torch.tensor([-1.0, -2.0, -0.5, -0.7]).requires_grad_()
    advantages = [2.0, -2.0, 2.0, -2.0]
    gspo(inputs(log_probs, log_probs.detach(), advantages, [4]), LossBounds(3e-4, 4e-4)).losses_N.sum().backward()
    assert log_probs.grad is not None
    assert log_probs.grad.tolist() == pytest.approx([-each for each in advantages])


def test_the_ratio_of_a_whole_response_is_the_product_of_its_decisions() -> None:
    # ratios 1.5 and 1.2, so 1.8 for the response of two, which is above the clip; 0.9 for the other
    log_probs = torch.tensor([1.5, 1.2, 0.9]).log().requires_grad_()
    losses, held_back = sequence_clip(inputs(log_probs, torch.zeros(3), [1.0] * 3, [2, 1]), LossBounds(0.2, 0.2))
    assert losses.tolist() == pytest.approx([-1.2, -1.2, -0.9])
    assert held_back.tolist() == [True, True, False]
    losses.sum().backward()
    assert log_probs.grad is not None and log_probs.grad.tolist() == pytest.approx([0.0, 0.0, -0.9])
