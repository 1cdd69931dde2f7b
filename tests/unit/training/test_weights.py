"""The weight of each decision, worked out by hand: each source of rows has a denominator of its own."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.frozen_scores import FrozenScores
from backsight.training.weights import WeightedExample, weigh_examples
from backsight.types import Action, Example, Feedback, Step, Trajectory


def weigh(*rows: Example, **settings: Any) -> list[WeightedExample]:
    config = TrainingConfig(stop=StopConfig(max_steps=1), **settings)
    return weigh_examples([(row, FrozenScores()) for row in rows], config)


def sampled(length: int) -> Example:
    return Example(("p",), ((5,) * length,), "outcome", torch.ones(length), torch.zeros(length))


def replayed(length: int, method: str = "hir", weight: float = 1.0) -> Example:
    return Example(("p",), ((5,) * length,), method, torch.ones(length), weight=weight)


def imitated(length: int, method: str = "condition") -> Example:
    return Example(("p",), ((5,) * length,), method, imitation_weights=torch.ones(length))


@pytest.mark.parametrize("algorithm", ["reinforce", "grpo", "dr_grpo"])
@pytest.mark.parametrize("other", [imitated(6), replayed(6), imitated(6, "relabel")])
def test_a_method_beside_it_leaves_the_policy_gradient_as_it_was(algorithm: str, other: Example) -> None:
    alone, beside = weigh(sampled(2), algorithm=algorithm), weigh(sampled(2), other, algorithm=algorithm)
    assert torch.equal(alone[0].gradient_T, beside[0].gradient_T)
    assert not beside[0].imitation_T.any()


def test_each_method_is_averaged_over_its_own_rows() -> None:
    rows = weigh(replayed(2, "hir"), replayed(3, "gold_anchor", weight=0.5), imitated(4, "condition"), imitated(5, "x"))
    assert rows[0].gradient_T.tolist() == pytest.approx([1 / 2] * 2)
    assert rows[1].gradient_T.tolist() == pytest.approx([0.5 / 3] * 3)
    assert rows[2].imitation_T.tolist() == pytest.approx([1 / 4] * 4)
    assert rows[3].imitation_T.tolist() == pytest.approx([1 / 5] * 5)


@pytest.mark.parametrize("algorithm", ["grpo", "dr_grpo", "dapo"])
def test_metrics_are_means_whatever_the_loss_is_divided_by(algorithm: str) -> None:
    """With Dr. GRPO's constant a batch in which everything is clipped was logged as 0.075."""
    rows = weigh(sampled(2), sampled(1), imitated(5), algorithm=algorithm, max_completion_length=40)
    assert sum(float(each.mean_ratio_T.sum()) for each in rows) == pytest.approx(1.0)
    assert sum(float(each.mean_kl_T.sum()) for each in rows) == pytest.approx(1.0)


def test_a_mask_of_the_teacher_is_averaged_over_what_it_leaves() -> None:
    masked = Example(("p",), ((5,) * 4,), "self_distill", teacher_weights=torch.tensor([0.0, 1.0, 0.0, 0.0]))
    (row,) = weigh(masked)
    assert float((row.teacher_T * torch.tensor([0.0, 1.0, 0.0, 0.0])).sum()) == 1.0


def test_the_reference_holds_what_was_sampled_or_else_everything() -> None:
    beside = weigh(sampled(2), imitated(3))
    assert beside[0].kl_T.tolist() == pytest.approx([0.5] * 2) and not beside[1].kl_T.any()
    assert weigh(imitated(4))[0].kl_T.tolist() == pytest.approx([0.25] * 4)


@pytest.mark.parametrize("algorithm", ["reinforce", "rloo", "grpo", "dr_grpo", "dapo", "gspo", "ppo"])
def test_an_attempt_that_nobody_scored_is_not_in_the_mean(algorithm: str) -> None:
    def attempt(length: int, reward: float | None, advantage: float) -> Example:
        step = Step("p", Action((5,) * length, torch.zeros(length), "x"))
        trajectory = Trajectory("p", (step,), Feedback(reward=reward))
        advantages = torch.full((length,), advantage)
        return Example(("p",), ((5,) * length,), "outcome", advantages, torch.zeros(length), trajectory=trajectory)

    scored, silent = [attempt(2, 1.0, 1.0), attempt(3, 0.0, 0.0)], attempt(7, None, 0.0)
    alone, beside = weigh(*scored, algorithm=algorithm), weigh(*scored, silent, algorithm=algorithm)
    for one, other in zip(alone, beside, strict=False):
        assert torch.equal(one.gradient_T, other.gradient_T)
    assert not beside[2].gradient_T.any()
    judged = weigh(*scored, attempt(7, None, 0.5), algorithm=algorithm)[2]
    assert judged.gradient_T.all(), "a teacher may have an opinion of it"


def cut_off(length: int, prompt: str = "p", **parts: Any) -> Example:
    """A row of an attempt that the limit of the length ended, perhaps under another prompt."""
    tokens = (5,) * length
    attempt = Trajectory("p", (Step("p", Action(tokens, torch.zeros(length), is_truncated=True)),))
    return Example((prompt,), (tokens,), "relabel" if parts else "outcome", trajectory=attempt, **parts)


@pytest.mark.parametrize(("algorithm", "expected"), [("rloo", 1 / 2), ("grpo", 1 / 4), ("dr_grpo", 1 / 20)])
def test_truncated_completions_are_masked_as_trl_masks_them(algorithm: str, expected: float) -> None:
    """Tokens no longer count; rows do where rows are counted."""
    long = replace(cut_off(3), advantages=torch.ones(3), behaviour_log_probs=torch.zeros(3))
    settings = {"algorithm": algorithm, "max_completion_length": 10}
    whole, masked = weigh(sampled(2), long, mask_truncated_completions=True, **settings)
    assert whole.gradient_T.tolist() == pytest.approx([expected] * 2)
    for weights in (masked.gradient_T, masked.kl_T, masked.entropy_T, masked.mean_kl_T, masked.mean_ratio_T):
        assert weights.tolist() == [0.0] * 3
    assert all(each.gradient_T.any() for each in weigh(sampled(2), long, **settings)), "it is off by default"


def test_what_a_method_makes_of_a_truncated_completion_is_masked_and_other_answers_are_not() -> None:
    replay = cut_off(3, "other prompt", imitation_weights=torch.ones(3))
    taught = cut_off(3, teacher_weights=torch.ones(3))
    gold = replace(replay, responses=((7, 8),), imitation_weights=torch.ones(2))
    rows = weigh(replay, taught, gold, mask_truncated_completions=True)
    assert rows[0].imitation_T.tolist() == [0.0] * 3 and rows[1].teacher_T.tolist() == [0.0] * 3
    assert rows[2].imitation_T.tolist() == pytest.approx([1 / 2] * 2)
