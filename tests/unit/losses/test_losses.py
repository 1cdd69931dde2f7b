import math

import pytest
import torch

from backsight.losses.divergence import reference_kl
from backsight.losses.imitation import imitation
from backsight.losses.policy_gradient import clipped, dual_clipped, mean_of_each, plain, soft_gated, weighted
from backsight.losses.reduction import constant, sequence_mean, token_mean


def logs(*values: float) -> torch.Tensor:
    return torch.tensor(values).log()


def test_plain_policy_gradient() -> None:
    loss = plain(logs(0.5, 0.25), torch.tensor([2.0, -1.0]))
    assert loss.tolist() == pytest.approx([-2 * math.log(0.5), math.log(0.25)])


def test_clipped_ratio_by_hand() -> None:
    # ratios 2, 2, 0.5, 0.5 with advantages +1, -1, +1, -1 and a clip to [0.8, 1.3]
    losses, held_back = clipped(
        logs(0.5, 0.5, 0.25, 0.25), logs(0.25, 0.25, 0.5, 0.5), torch.tensor([1.0, -1.0, 1.0, -1.0]), 0.2, 0.3
    )
    assert losses.tolist() == pytest.approx([-1.3, 2.0, -0.5, 0.8])
    assert held_back.tolist() == [True, False, False, True]


def test_a_clipped_decision_has_no_gradient() -> None:
    log_probs = logs(0.5, 0.25).requires_grad_()
    losses, _ = clipped(log_probs, logs(0.25, 0.25), torch.tensor([1.0, 1.0]), 0.2, 0.2)
    losses.sum().backward()
    assert log_probs.grad is not None
    assert log_probs.grad.tolist() == pytest.approx([0.0, -1.0])


def test_at_ratio_one_clipped_and_plain_have_the_same_gradient() -> None:
    advantages, behaviour = torch.tensor([2.0, -3.0]), logs(0.5, 0.1)
    gradients = []
    for loss in (lambda x: clipped(x, behaviour, advantages, 0.2, 0.2)[0], lambda x: plain(x, advantages)):
        log_probs = behaviour.clone().requires_grad_()
        loss(log_probs).sum().backward()
        gradients.append(log_probs.grad)
    assert torch.allclose(gradients[0], gradients[1])


def test_truncated_importance_weights_by_hand() -> None:
    # ratios 4 and 0.5, the first cut to 2; the weights have no gradient of their own
    log_probs = logs(0.5, 0.25).requires_grad_()
    losses, cut = weighted(log_probs, logs(0.125, 0.5), torch.tensor([1.0, -3.0]), 0.0, 2.0)
    assert losses.tolist() == pytest.approx([-2 * math.log(0.5), 0.5 * 3 * math.log(0.25)])
    assert cut.tolist() == [True, False]
    losses.sum().backward()
    assert log_probs.grad is not None
    assert log_probs.grad.tolist() == pytest.approx([-2.0, 1.5])


def test_cispo_bounds_its_weights_on_both_sides() -> None:
    losses, cut = weighted(logs(0.5, 0.25, 0.5), logs(0.125, 0.5, 0.5), torch.ones(3), 0.8, 1.2)
    assert losses.tolist() == pytest.approx([-1.2 * math.log(0.5), -0.8 * math.log(0.25), -math.log(0.5)])
    assert cut.tolist() == [True, True, False]


def test_dual_clip_by_hand() -> None:
    # ratios 10, 10, 2, 0.5: a bad decision that has become ten times as likely weighs three times its advantage
    losses, held_back = dual_clipped(
        logs(0.5, 0.5, 0.5, 0.1), logs(0.05, 0.05, 0.25, 0.2), torch.tensor([-2.0, 1.0, -1.0, -1.0]), 0.2, 0.2, 3.0
    )
    assert losses.tolist() == pytest.approx([6.0, -1.2, 2.0, 0.8])
    assert held_back.tolist() == [True, True, False, True]


def test_the_soft_gate_by_hand() -> None:
    losses, _ = soft_gated(logs(0.5, 0.5), logs(0.25, 0.25), torch.tensor([1.0, -1.0]), 1.0, 1.05)
    expected = [-4 / (1 + math.exp(-1.0)), 4 / 1.05 / (1 + math.exp(-1.05))]
    assert losses.tolist() == pytest.approx(expected)


def test_at_ratio_one_every_loss_has_the_plain_gradient() -> None:
    advantages, behaviour = torch.tensor([2.0, -3.0]), logs(0.5, 0.1)
    for loss in (
        lambda x: dual_clipped(x, behaviour, advantages, 0.2, 0.2, 3.0)[0],
        lambda x: weighted(x, behaviour, advantages, 0.8, 1.2)[0],
        lambda x: soft_gated(x, behaviour, advantages, 1.0, 1.05)[0],
    ):
        log_probs = behaviour.clone().requires_grad_()
        loss(log_probs).sum().backward()
        assert log_probs.grad is not None
        assert torch.allclose(log_probs.grad, -advantages)


def test_a_sequence_has_one_ratio() -> None:
    assert mean_of_each(torch.tensor([1.0, 3.0, 5.0]), [2, 1]).tolist() == [2.0, 2.0, 5.0]


def test_imitation_with_label_smoothing() -> None:
    assert imitation(logs(0.5)).tolist() == pytest.approx([-math.log(0.5)])
    smoothed = imitation(logs(0.5), torch.tensor([-3.0]), 0.1)
    assert smoothed.tolist() == pytest.approx([-0.9 * math.log(0.5) + 0.1 * 3.0])


def test_label_smoothing_without_its_statistic_is_an_error() -> None:
    with pytest.raises(ValueError, match="mean log-probabilities"):
        imitation(logs(0.5), None, 0.1)


def test_reference_kl_is_k3() -> None:
    values = reference_kl(logs(0.5, 0.2), logs(0.25, 0.2))
    assert values.tolist() == pytest.approx([0.5 - math.log(0.5) - 1, 0.0])


def test_reductions_by_hand() -> None:
    assert token_mean([1, 3]).tolist() == pytest.approx([0.25] * 4)
    assert sequence_mean([1, 3]).tolist() == pytest.approx([0.5, 1 / 6, 1 / 6, 1 / 6])
    assert constant([1, 3], 10).tolist() == pytest.approx([1 / 20] * 4)
