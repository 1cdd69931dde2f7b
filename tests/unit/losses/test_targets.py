"""What is imitated, the divergence from a teacher and from a reference, against numbers worked out by hand."""

import math

import pytest
import torch

from backsight.losses.targets import distillation, imitation, later_cross_entropy, reference_kl

STUDENT = torch.tensor([[0.5, 0.25]]).log()
TEACHER = torch.tensor([[0.25, 0.5]]).log()
"""Both leave a quarter for everything else."""


def logs(*values: float) -> torch.Tensor:
    return torch.tensor(values).log()


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


def test_forward_and_reverse() -> None:
    forward = 0.25 * math.log(0.25 / 0.5) + 0.5 * math.log(0.5 / 0.25)
    assert float(distillation(STUDENT, TEACHER, 0.0)) == pytest.approx(forward)
    reverse = 0.5 * math.log(0.5 / 0.25) + 0.25 * math.log(0.25 / 0.5)
    assert float(distillation(STUDENT, TEACHER, 1.0)) == pytest.approx(reverse)


def test_between_them_is_the_generalised_jensen_shannon_divergence() -> None:
    alpha = 0.25
    mixture = [(1 - alpha) * s + alpha * t for s, t in zip((0.5, 0.25, 0.25), (0.25, 0.5, 0.25), strict=True)]
    to_student = sum(s * math.log(s / m) for s, m in zip((0.5, 0.25, 0.25), mixture, strict=True))
    to_teacher = sum(t * math.log(t / m) for t, m in zip((0.25, 0.5, 0.25), mixture, strict=True))
    expected = (1 - alpha) * to_student + alpha * to_teacher
    assert float(distillation(STUDENT, TEACHER, alpha)) == pytest.approx(expected, rel=1e-5)


def test_what_is_not_compared_counts_as_one_more_action() -> None:
    student, teacher = torch.tensor([[0.9]]).log(), torch.tensor([[0.6]]).log()
    expected = 0.6 * math.log(0.6 / 0.9) + 0.4 * math.log(0.4 / 0.1)
    assert float(distillation(student, teacher, 0.0)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_equal_distributions_are_at_distance_zero_and_nothing_is_infinite(alpha: float) -> None:
    whole = torch.tensor([[0.0, -torch.inf, -torch.inf]])
    assert float(distillation(whole, whole, alpha)) == pytest.approx(0.0, abs=1e-5)
    other = torch.tensor([[-torch.inf, 0.0, -torch.inf]])
    assert distillation(whole, other, alpha).isfinite().all()


def test_forward_kl_still_pulls_where_the_student_gives_the_teachers_choice_nothing() -> None:
    """Reverse KL's gradient is proportional to the student's own probability: the reason for the default."""
    gradients = []
    for alpha in (0.0, 1.0):
        logits = torch.tensor([[10.0, -10.0]], requires_grad=True)
        distillation(logits.log_softmax(-1), torch.tensor([[-10.0, 10.0]]).log_softmax(-1), alpha).backward()
        assert logits.grad is not None
        gradients.append(float(logits.grad[0, 1].abs()))
    assert gradients[0] == pytest.approx(1.0, rel=1e-2) and gradients[1] < 1e-4


def test_each_decision_answers_for_the_later_ones_of_its_example() -> None:
    student, teacher = STUDENT.expand(3, 2), TEACHER.expand(3, 2)
    cost = -(0.25 * math.log(0.5) + 0.5 * math.log(0.25) + 0.25 * math.log(0.25))
    found = later_cross_entropy(student, teacher, torch.tensor([1.0, 0.5, 2.0]), [2, 1])
    assert found.tolist() == pytest.approx([0.5 * cost, 0.0, 0.0])
    found = later_cross_entropy(student.clone().requires_grad_(), teacher, torch.tensor([1.0, 0.5, 2.0]), [3])
    assert found.tolist() == pytest.approx([2.5 * cost, 2 * cost, 0.0]) and not found.requires_grad
