"""The same examples give the same gradient, whatever the micro-batches."""

from typing import Any

import pytest
import torch
from tiny_models import tiny_policy

from backsight.policies.causal_lm import CausalLMPolicy
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.update import update
from backsight.types import Example


def config(**settings: Any) -> TrainingConfig:
    return TrainingConfig(stop=StopConfig(max_steps=1), max_completion_length=8, **settings)


def examples() -> list[Example]:
    generator = torch.Generator().manual_seed(0)
    made = []
    for number in range(12):
        length = 1 + number % 5
        tokens = tuple(torch.randint(2, 90, (length,), generator=generator).tolist())
        prompt = ("x" * (number % 4),)
        if number % 3 == 0:
            made.append(
                Example(prompt, (tokens,), "relabel", imitation_weights=torch.rand(length, generator=generator))
            )
        else:
            advantages = torch.randn(length, generator=generator) if number % 3 == 1 else torch.zeros(length)
            behaviour = None if number == 4 else torch.full((length,), -4.0)
            made.append(Example(prompt, (tokens,), "outcome", advantages, behaviour))
    return made


def gradients(policy: CausalLMPolicy, rows: list[Example], settings: TrainingConfig) -> torch.Tensor:
    """The gradient that `update` took its step with: plain descent with rate 1 moves the weights by minus that."""
    before = torch.cat([parameter.detach().flatten().clone() for parameter in policy.module.parameters()])
    reference = tiny_policy(seed=1) if settings.beta else None
    update(policy, reference, rows, torch.optim.SGD(policy.module.parameters(), lr=1.0), settings)
    after = torch.cat([parameter.detach().flatten() for parameter in policy.module.parameters()])
    return before - after


@pytest.mark.parametrize("algorithm", ["reinforce", "rloo", "grpo", "dr_grpo"])
@pytest.mark.parametrize("loss_type", ["pg", "clip"])
def test_micro_batches_do_not_change_the_gradient(algorithm: str, loss_type: str) -> None:
    parts = {"algorithm": algorithm, "loss_type": loss_type, "beta": 0.1, "entropy_coef": 0.01}
    settings = {**parts, "label_smoothing_factor": 0.1, "max_grad_norm": 1e9}
    whole = gradients(tiny_policy(), examples(), config(**settings))
    cut = gradients(tiny_policy(), examples(), config(**settings, micro_batch_size=12))
    assert float((whole - cut).norm() / whole.norm()) < 1e-5


def test_the_order_of_examples_does_not_change_the_gradient() -> None:
    settings = config(max_grad_norm=1e9)
    whole = gradients(tiny_policy(), examples(), settings)
    turned = gradients(tiny_policy(), examples()[::-1], settings)
    assert float((whole - turned).norm() / whole.norm()) < 1e-5


def test_skipping_rows_without_signal_does_not_change_the_gradient() -> None:
    rows, settings = examples(), config(max_grad_norm=1e9)
    tiny = [
        Example(each.prompts, each.responses, each.method, each.advantages + 1e-30, each.behaviour_log_probs)
        if each.advantages is not None and not each.advantages.any()
        else each
        for each in rows
    ]
    skipped, trained = gradients(tiny_policy(), rows, settings), gradients(tiny_policy(), tiny, settings)
    assert float((skipped - trained).norm() / skipped.norm()) < 1e-5


def test_weight_scales_an_example() -> None:
    row = examples()[1]
    heavy = Example(row.prompts, row.responses, row.method, row.advantages, row.behaviour_log_probs, weight=3.0)
    settings = config(max_grad_norm=1e9)
    once, thrice = gradients(tiny_policy(), [row], settings), gradients(tiny_policy(), [heavy], settings)
    assert torch.allclose(3 * once, thrice, atol=1e-4)


def test_off_policy_rows_are_counted() -> None:
    policy = tiny_policy()
    metrics = update(policy, None, examples(), torch.optim.SGD(policy.module.parameters(), lr=0.0), config())
    assert metrics["frac_off_policy"] == pytest.approx(5 / 12)
    assert metrics["frac_examples_with_signal"] == pytest.approx(8 / 12)


def test_nothing_to_learn_changes_nothing() -> None:
    policy = tiny_policy()
    rows = [each for each in examples() if each.advantages is not None and not each.advantages.any()]
    assert not gradients(policy, rows, config()).any()


def test_the_reference_pulls_back() -> None:
    """With beta alone, the policy moves towards the reference."""
    policy, reference = tiny_policy(), tiny_policy(seed=1)
    row = Example(("x",), ((5, 6, 7),), "outcome", torch.zeros(3), torch.zeros(3))
    optimizer = torch.optim.Adam(policy.module.parameters(), lr=1e-3)
    first, *_, last = (
        update(policy, reference, [row], optimizer, config(beta=1.0, loss_type="pg"))["kl"] for _ in range(30)
    )
    assert last < 0.2 * first


def test_mini_batches_take_several_steps_and_use_every_example() -> None:
    policy, seen = tiny_policy(), []

    class Watching(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            seen.append(sum(float(p.grad.abs().sum()) for p in policy.module.parameters() if p.grad is not None))

    metrics = update(policy, None, examples(), Watching(policy.module.parameters(), lr=0.0), config(mini_batches=3))
    assert len(seen) == 3 and all(seen)
    assert metrics["frac_off_policy"] == pytest.approx(5 / 12)
