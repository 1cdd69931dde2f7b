"""What is minimised, against numbers worked out by hand, and that cuts and companions do not change it."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_models import tiny_policy

from backsight.profiling import Profile
from backsight.training.config import StopConfig, TeacherConfig, TrainingConfig
from backsight.training.frozen_scores import FrozenScores, Target, ask_frozen_policies
from backsight.training.objective import has_signal, micro_batch_loss
from backsight.training.teacher import Teacher
from backsight.training.weights import ScoredExample, weigh_examples
from backsight.types import Decisions, Example, Sampling, ScoreRequest


def logs(*values: float) -> torch.Tensor:
    return torch.tensor(values).log()


def config(**settings: Any) -> TrainingConfig:
    return TrainingConfig(stop=StopConfig(max_steps=1), **settings)


class Fixed:
    """A policy whose numbers are known, whatever it is asked about; it gives no more than was requested."""

    def __init__(self, log_probs: torch.Tensor, support_log_probs: torch.Tensor | None = None) -> None:
        self.log_probs_N, self.support_log_probs_NK = log_probs, support_log_probs

    def log_probs(self, examples: Sequence[Example], sampling: Sampling, request: ScoreRequest) -> Decisions:
        count = len(self.log_probs_N)
        return Decisions(
            self.log_probs_N,
            num_tokens=7,
            entropy_N=torch.linspace(1.0, 3.0, count) if request.entropy else None,
            uniform_log_probs_N=torch.full((count,), -3.0) if request.uniform else None,
            support_NK=request.support_NK,
            support_log_probs_NK=None if request.support_NK is None else self.support_log_probs_NK,
        )


def loss_of(policy: Fixed, scored: Sequence[ScoredExample], settings: TrainingConfig) -> tuple[float, dict[str, float]]:
    """The loss of the examples as one micro-batch, and its parts."""
    loss, parts, decisions = micro_batch_loss(policy, weigh_examples(scored, settings), settings)  # type: ignore[arg-type]
    assert decisions.num_tokens == 7
    return float(loss), {name: float(value) for name, value in parts.items()}


ATTEMPT = Example(("p",), ((5, 6),), "outcome", torch.tensor([2.0, -1.0]), logs(0.25, 0.25))
POLICY = Fixed(logs(0.5, 0.25))
"""So that the ratios of the attempt are 2 and 1."""


def test_the_policy_gradient_by_hand() -> None:
    # -min(2·2, 1.2·2) and 1, each half of the only example
    loss, parts = loss_of(POLICY, [(ATTEMPT, FrozenScores())], config())
    assert loss == parts["loss/policy_gradient"] == pytest.approx(0.5 * (-2.4 + 1))
    assert parts["clip_ratio/region_mean"] == pytest.approx(0.5) and parts["loss/imitation"] == 0
    assert parts.keys() == {"loss/policy_gradient", "loss/imitation", "clip_ratio/region_mean"}


def test_reference_and_entropy_by_hand() -> None:
    settings = config(beta=0.1, entropy_coef=0.01)
    loss, parts = loss_of(POLICY, [(ATTEMPT, FrozenScores(reference_T=logs(0.25, 0.25)))], settings)
    assert parts["kl"] == pytest.approx(0.5 * (0.5 + math.log(2) - 1))
    assert parts["entropy"] == pytest.approx(2.0)
    # the unbiased estimator weighs each decision by its ratio, 2 and 1; the second has no divergence
    assert loss == pytest.approx(-0.7 + 0.1 * 2 * parts["kl"] - 0.01 * 2.0)
    published, _ = loss_of(
        POLICY, [(ATTEMPT, FrozenScores(reference_T=logs(0.25, 0.25)))], config(beta=0.1, kl_estimator="k3")
    )
    assert published == pytest.approx(-0.7 + 0.1 * parts["kl"])


def test_imitation_by_hand() -> None:
    row = Example(("p",), ((5, 6),), "relabel", imitation_weights=torch.tensor([1.0, 0.5]), weight=3.0)
    loss, parts = loss_of(POLICY, [(row, FrozenScores())], config(label_smoothing_factor=0.1))
    first, second = (-0.9 * math.log(prob) + 0.1 * 3.0 for prob in (0.5, 0.25))
    assert loss == parts["loss/imitation"] == pytest.approx(3 * (0.5 * first + 0.5 * 0.5 * second))


def test_a_row_that_nobody_sampled_has_no_ratio() -> None:
    row = replace(ATTEMPT, behaviour_log_probs=None)
    loss, parts = loss_of(POLICY, [(row, FrozenScores())], config())
    assert loss == pytest.approx(0.5 * (-2 * math.log(0.5) + math.log(0.25)))
    assert parts["clip_ratio/region_mean"] == 0
    shaped, _ = loss_of(POLICY, [(replace(row, shaping=0.1), FrozenScores())], config())
    assert shaped == pytest.approx(0.5 * (-2 * 0.5 / 0.6 + 0.25 / 0.35))


TAUGHT = Example(
    ("p",), ((5, 6),), "self_distill", teacher_prompts=("hint p",), teacher_weights=torch.tensor([1.0, 1.0])
)
TARGET = Target(
    actions_NK=torch.tensor([[0, 1], [0, 1]]),
    log_probs_NK=torch.tensor([[0.25, 0.5], [0.25, 0.25]]).log(),
    taken_N=logs(0.25, 0.25),
    num_taught=2,
)
STUDENT = Fixed(logs(0.5, 0.25), torch.tensor([[0.5, 0.25], [0.25, 0.25]]).log())


@pytest.mark.parametrize(
    ("clip", "behaviour", "expected"),
    [
        (None, None, 0.5 * 0.25 * math.log(2)),  # of the first decision alone: in the second they agree
        (0.1, None, 0.5 * (0.25 * math.log(0.5) + 0.1)),  # of its two terms the one above the cap
        (None, logs(0.4, 0.25), 0.5 * 0.25 * math.log(2) * 1.25),
        (None, logs(0.125, 0.25), 0.5 * 0.25 * math.log(2) * 2.0),  # a ratio of 4, and the cap
    ],
)
def test_distillation_by_hand(clip: float | None, behaviour: torch.Tensor | None, expected: float) -> None:
    settings = config(teacher=TeacherConfig(clip=clip), importance_cap=2.0)
    row = replace(TAUGHT, behaviour_log_probs=behaviour)
    loss, parts = loss_of(STUDENT, [(row, FrozenScores(target=TARGET))], settings)
    assert loss == parts["loss/distillation"] == pytest.approx(expected, rel=1e-5)
    assert parts["teacher/log_prob_gain"] == pytest.approx(-math.log(2) / 2)


def test_weights_by_hand() -> None:
    """The policy gradient is averaged by sequence, the other parts by decision, each over those that have it."""
    rows = [
        replace(ATTEMPT, weight=2.0),
        Example(("p",), ((5, 6, 7),), "relabel", imitation_weights=torch.ones(3)),
        Example(("p",), ((5,),), "outcome", torch.ones(1), torch.zeros(1)),
        replace(TAUGHT, weight=3.0),
    ]
    weighted = weigh_examples([(row, FrozenScores()) for row in rows], config(algorithm="grpo"))
    assert [each.example for each in weighted] == rows
    assert [each.gradient_T.tolist() for each in weighted] == [[0.5, 0.5], [0, 0, 0], [0.5], [0, 0]]
    imitation = [each.imitation_T.tolist() for each in weighted]
    assert imitation == [[0, 0], pytest.approx([1 / 3] * 3), [0], [0, 0]]
    assert [each.teacher_T.tolist() for each in weighted] == [[0, 0], [0, 0, 0], [0], [1.5, 1.5]]
    assert torch.cat([each.entropy_T for each in weighted]).tolist() == pytest.approx([1 / 8] * 8)


@pytest.mark.parametrize(
    ("algorithm", "expected"), [("rloo", [1 / 3] * 3), ("grpo", [0.25, 0.25, 0.5]), ("dr_grpo", [1 / 20] * 3)]
)
def test_the_algorithm_says_how_it_is_averaged(algorithm: str, expected: list[float]) -> None:
    rows = [ATTEMPT, Example(("p",), ((5,),), "outcome", torch.ones(1), torch.zeros(1))]
    settings = config(algorithm=algorithm, max_completion_length=10)
    weighted = weigh_examples([(row, FrozenScores()) for row in rows], settings)
    assert torch.cat([each.gradient_T for each in weighted]).tolist() == pytest.approx(expected)


NOTHING = replace(ATTEMPT, advantages=torch.zeros(2))


@pytest.mark.parametrize(
    ("row", "settings", "expected"),
    [
        (ATTEMPT, {}, True),
        (NOTHING, {}, False),
        (NOTHING, {"beta": 0.1}, True),
        (NOTHING, {"entropy_coef": 0.1}, True),
        (replace(NOTHING, imitation_weights=torch.ones(2)), {}, True),
        (TAUGHT, {}, True),
        (replace(TAUGHT, teacher_weights=torch.zeros(2)), {}, False),
        (replace(TAUGHT, teacher_weights=torch.zeros(2)), {"beta": 0.1}, True),
        (NOTHING, {"beta": 0.1, "kl_estimator": "k1_reward"}, False),
    ],
)
def test_what_can_move_the_policy(row: Example, settings: dict[str, Any], expected: bool) -> None:
    assert has_signal(row, config(**settings)) == expected


LESSON = Example(
    ("a b",),
    ((7, 8, 9),),
    "self_distill",
    teacher_prompts=("hint a b",),
    teacher_weights=torch.tensor([1.0, 0.0, 1.0]),
)
PLAIN = Example(("c",), ((5, 6),), "outcome", advantages=torch.tensor([1.0, -1.0]))


def test_what_is_taught_does_not_depend_on_what_else_is_in_the_batch() -> None:
    policy, settings = tiny_policy(), config()
    teacher = Teacher(policy, settings.teacher)
    (scores,) = ask_frozen_policies(None, teacher.scoring, [LESSON], settings, 2048, Profile())
    batches = [[(LESSON, scores)], [(PLAIN, FrozenScores()), (LESSON, scores)]]
    alone, beside = (
        micro_batch_loss(policy, weigh_examples(batch, settings), settings)[1]["loss/distillation"] for batch in batches
    )
    assert float(alone) > 1e-3
    torch.testing.assert_close(alone, beside)


@torch.no_grad()
def test_the_micro_batches_add_up_to_the_whole() -> None:
    policy, settings = tiny_policy(), config(beta=0.1, entropy_coef=0.1, label_smoothing_factor=0.1)
    rows = [LESSON, PLAIN, Example(("d",), ((5, 0),), "relabel", imitation_weights=torch.ones(2))]
    teacher = Teacher(policy, settings.teacher).scoring
    scores = ask_frozen_policies(tiny_policy(seed=1), teacher, rows, settings, 2048, Profile())
    weighted = weigh_examples(list(zip(rows, scores, strict=True)), settings)
    whole, parts, _ = micro_batch_loss(policy, weighted, settings)
    cut = [micro_batch_loss(policy, [each], settings) for each in weighted]
    torch.testing.assert_close(sum(loss for loss, _, _ in cut), whole)
    for name, value in parts.items():
        torch.testing.assert_close(sum(each.get(name, torch.tensor(0.0)) for _, each, _ in cut), value)


def test_a_sampler_that_rules_tokens_out_does_not_hide_them_from_the_teacher() -> None:
    """The gradient towards the teacher's token was exactly zero where top-k or top-p had ruled the token out."""
    losses = []
    for sampling in ({}, {"top_k": 2}, {"top_p": 0.5}, {"min_p": 0.5}):
        policy, settings = tiny_policy(), config(**sampling)
        teacher = Teacher(policy, settings.teacher)
        (scores,) = ask_frozen_policies(None, teacher.scoring, [LESSON], settings, 2048, Profile())
        loss, _, _ = micro_batch_loss(policy, weigh_examples([(LESSON, scores)], settings), settings)
        loss.backward()
        gradient = next(policy.module.parameters()).grad
        assert gradient is not None
        losses.append((loss.item(), float(gradient.norm())))
    assert losses[0][1] > 1e-3
    assert losses == [pytest.approx(losses[0], rel=1e-4)] * 4


class Choosing:
    """A policy with one free number for each of four actions, whatever it is asked."""

    def __init__(self, logits: Sequence[float]) -> None:
        self.logits_V = torch.tensor(logits, requires_grad=True)

    def log_probs(self, examples: Sequence[Example], sampling: Sampling, request: ScoreRequest) -> Decisions:
        actions = torch.tensor([token for each in examples for (token,) in each.responses])
        return Decisions(self.logits_V.log_softmax(-1)[actions], num_tokens=7)


@pytest.mark.parametrize("behaviour", [(0.5, 0.25, 0.125, 0.125), (0.25, 0.25, 0.25, 0.25)])
def test_the_divergence_has_the_gradient_of_what_is_logged(behaviour: tuple[float, ...]) -> None:
    """Over all actions, as often as they are sampled: on policy and off policy the gradient of KL(π‖π_ref)."""
    policy = Choosing([math.log(each) for each in (0.5, 0.25, 0.125, 0.125)])
    reference_V = torch.tensor([0.1, 0.2, 0.3, 0.4]).log()
    rows = [
        (
            Example(("p",), ((action,),), "outcome", torch.zeros(1), torch.tensor([math.log(prob)])),
            FrozenScores(reference_T=reference_V[action : action + 1]),
        )
        for action, prob in enumerate(behaviour)
        for _ in range(round(8 * prob))
    ]
    settings = config(beta=1.0, algorithm="reinforce")
    loss, parts, _ = micro_batch_loss(policy, weigh_examples(rows, settings), settings)  # type: ignore[arg-type]
    loss.backward()
    log_probs_V = policy.logits_V.detach().requires_grad_().log_softmax(-1)
    found, exact = policy.logits_V.grad, torch.tensor([math.log(each) for each in (0.5, 0.25, 0.125, 0.125)])
    exact.requires_grad_()
    log_probs_V = exact.log_softmax(-1)
    divergence = (log_probs_V.exp() * (log_probs_V - reference_V)).sum()
    divergence.backward()
    torch.testing.assert_close(found, exact.grad)
    if behaviour[0] == 0.5:
        assert float(parts["kl"]) == pytest.approx(divergence.item(), rel=1e-5)


class TwoTokens:
    """A policy over answers of two tokens, each one of two: the second depends on the first."""

    def __init__(self) -> None:
        self.logits = torch.tensor([[0.3, -0.2], [0.5, 0.1], [-0.4, 0.9]], requires_grad=True)

    def log_probs(self, examples: Sequence[Example], sampling: Sampling, request: ScoreRequest) -> Decisions:
        states = [place for each in examples for place in (0, 1 + each.responses[0][0])]
        taken = torch.tensor([token for each in examples for token in each.responses[0]])
        whole_NK = self.logits[states].log_softmax(-1)
        taken_N = whole_NK.gather(-1, taken[:, None])[:, 0]
        return Decisions(taken_N, 2, None, None, torch.arange(2).expand(len(taken), 2), whole_NK)


@pytest.mark.parametrize("is_masked", [False, True])
def test_the_gradient_of_the_sequence_is_that_of_the_expected_disagreement(is_masked: bool) -> None:
    """DistIL's estimate, averaged over all answers as often as they are given, against the derivative itself."""
    teacher = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
    mask = torch.tensor([0.0, 1.0] if is_masked else [1.0, 1.0])
    policy, exact = TwoTokens(), TwoTokens()
    settings = config(teacher=TeacherConfig(sequence_gradient=True))
    estimate, expected = torch.zeros(3, 2), torch.tensor(0.0)
    for answer in ((0, 0), (0, 1), (1, 0), (1, 1)):
        row = replace(TAUGHT, responses=(answer,), teacher_weights=mask)
        known = exact.log_probs([row], Sampling(), ScoreRequest())
        assert known.support_log_probs_NK is not None
        target_NK = teacher[[0, 1 + answer[0]]]
        cost = -(target_NK * known.support_log_probs_NK).sum(-1) @ mask / mask.sum()
        probability = known.log_probs_N.sum().exp()
        expected = expected + probability * cost
        row = replace(row, behaviour_log_probs=known.log_probs_N.detach())
        target = Target(torch.arange(2).expand(2, 2), target_NK.log(), target_NK.log()[:, 0], 2)
        scored = [(row, FrozenScores(target=target))]
        loss, _, _ = micro_batch_loss(policy, weigh_examples(scored, settings), settings)  # type: ignore[arg-type]
        (gradient,) = torch.autograd.grad(loss, policy.logits)
        estimate += probability.detach() * gradient
    expected.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(estimate, exact.logits.grad, rtol=1e-4, atol=1e-5)


def test_what_the_policy_did_not_sample_answers_for_nothing_later() -> None:
    settings = config(teacher=TeacherConfig(sequence_gradient=True))
    for behaviour, expected in ((None, 0.0), (logs(0.5, 0.25), math.log(0.5) * 0.5 * 0.75 * math.log(4))):
        row = replace(TAUGHT, behaviour_log_probs=behaviour)
        loss, parts = loss_of(STUDENT, [(row, FrozenScores(target=TARGET))], settings)
        assert parts["loss/later_distillation"] == pytest.approx(expected, rel=1e-4)
        assert loss == pytest.approx(parts["loss/distillation"] + parts["loss/later_distillation"])
