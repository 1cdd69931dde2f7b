"""The same examples give the same gradient, whatever the micro-batches."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_models import tiny_policy
from torch import nn

from backsight.errors import ConfigError, ModelError
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.training.algorithms import ALGORITHMS
from backsight.training.config import OptimizerConfig, StopConfig, TrainingConfig
from backsight.training.update import UpdateState, make_optimizer, update
from backsight.types import Decisions, Example


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


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
@pytest.mark.parametrize("loss_type", ["pg", "clip", "gspo"])
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


class Forgetful(CausalLMPolicy):
    """Runs out of memory when a micro-batch is larger than `room`, in the backward pass, with part of it done."""

    room = 2

    def log_probs(self, examples: Sequence[Example], *arguments: Any, **named: Any) -> Decisions:
        decisions = super().log_probs(examples, *arguments, **named)
        if len(examples) > self.room and not self.recomputes:
            decisions.log_probs_N.register_hook(self._run_out)
        return decisions

    @staticmethod
    def _run_out(gradient: torch.Tensor) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory: you tried to …")


def forgetful(room: int) -> Forgetful:
    tiny = tiny_policy()
    policy = Forgetful(tiny.model, tiny.tokenizer)
    policy.room = room
    return policy


@pytest.mark.parametrize("room", [2, 0])
def test_running_out_of_memory_changes_nothing_but_the_cuts(room: int) -> None:
    """With room for nothing at all, layers are recomputed."""
    settings = config(max_grad_norm=1e9)
    policy = forgetful(room)
    found, expected = gradients(policy, examples(), settings), gradients(tiny_policy(), examples(), settings)
    assert float((found - expected).norm() / expected.norm()) < 1e-5
    assert policy.recomputes == (room == 0)


def test_what_did_not_fit_once_is_not_tried_again() -> None:
    policy, state = forgetful(2), UpdateState(micro_batch_size=1024)
    optimizer = torch.optim.SGD(policy.module.parameters(), lr=0.0)
    update(policy, None, examples(), optimizer, config(), state)
    size = state.micro_batch_size
    assert size < 1024
    update(policy, None, examples(), optimizer, config(), state)
    assert state.micro_batch_size == size


def test_an_example_that_does_not_fit_at_all_is_an_error() -> None:
    policy = forgetful(0)
    policy.recompute_layers = lambda: False  # type: ignore[method-assign]
    with pytest.raises(ConfigError, match="micro_batch_size.*does not fit into memory"):
        gradients(policy, examples(), config())


def test_other_errors_are_not_taken_for_memory() -> None:
    policy = tiny_policy()
    policy.model.forward = None
    with pytest.raises(ModelError, match="computes no logits"):
        gradients(policy, examples(), config())


def test_the_reference_is_asked_once() -> None:
    policy, reference = tiny_policy(), tiny_policy(seed=1)
    asked: list[int] = []
    score = reference.log_probs
    reference.log_probs = lambda batch, *rest: asked.append(len(batch)) or score(batch, *rest)  # type: ignore
    settings = config(beta=0.1, num_iterations=3, mini_batches=2)
    update(policy, reference, examples(), torch.optim.SGD(policy.module.parameters(), lr=0.0), settings)
    assert sum(asked) == len(examples())


def test_truncated_importance_weights_correct_what_another_policy_sampled() -> None:
    """The plain gradient, times the ratio to who sampled or the cap."""
    row = examples()[1]
    with torch.no_grad():
        own = tiny_policy().log_probs([row]).log_probs_N
    for shift, weight in ((0.1, math.exp(0.1)), (2.0, 1.5)):
        shifted = replace(row, behaviour_log_probs=own - shift)
        settings = {"max_grad_norm": 1e9, "importance_cap": 1.5}
        corrected = gradients(tiny_policy(), [shifted], config(loss_type="tis", **settings))
        uncorrected = gradients(tiny_policy(), [row], config(loss_type="pg", **settings))
        assert torch.allclose(corrected, weight * uncorrected, rtol=1e-3, atol=1e-5)


def module() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def optimized(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def test_the_trained_weights_are_optimized_in_their_order() -> None:
    layer = module()
    assert [id(each) for each in optimized(make_optimizer(layer, OptimizerConfig()))] == [
        id(layer.weight),
        id(layer.bias),
    ]
    layer.weight.requires_grad_(False)
    assert [id(each) for each in optimized(make_optimizer(layer, OptimizerConfig()))] == [id(layer.bias)]


def test_the_first_step_has_the_size_of_the_rate_and_weights_decay() -> None:
    """AdamW divides the first gradient by its own size; w becomes w - 0.1·0.5·w - 0.1·sign(g)."""
    layer = module()
    optimizer = make_optimizer(layer, OptimizerConfig(learning_rate=0.1, weight_decay=0.5))
    before = layer.weight.detach().clone()
    signs = torch.tensor([[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]])
    layer.weight.grad, layer.bias.grad = 3 * signs, torch.zeros(2)
    optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), 0.95 * before - 0.1 * signs)


def test_masters_keep_what_bfloat16_rounds_away() -> None:
    layer = module()
    before = [weight.detach().clone() for weight in layer.parameters()]
    optimizer = make_optimizer(layer, OptimizerConfig(learning_rate=1e-4, bf16=True))
    masters = optimized(optimizer)
    assert all(weight.dtype == torch.bfloat16 for weight in layer.parameters())
    assert all(master.dtype == torch.float32 for master in masters)
    assert all(torch.equal(master, old) for master, old in zip(masters, before, strict=True))
    for _ in range(10):
        optimizer.zero_grad()
        layer(torch.ones(1, 3, dtype=torch.bfloat16)).sum().backward()
        optimizer.step()
    for master, old, weight in zip(masters, before, layer.parameters(), strict=True):
        torch.testing.assert_close(master.detach(), old - 1e-3, rtol=0, atol=2e-5)  # ten steps of 1e-4, and the decay
        assert torch.equal(weight, master.to(torch.bfloat16))


def test_gradients_add_up_in_float32() -> None:
    """In bfloat16, 256 and then one more would stay 256."""
    layer = nn.Linear(1, 1, bias=False)
    (master,) = optimized(make_optimizer(layer, OptimizerConfig(bf16=True)))
    for size in (256.0, 1.0, 1.0):
        layer(torch.full((1, 1), size, dtype=torch.bfloat16)).sum().backward()
        assert layer.weight.grad is None
    assert master.grad is not None and master.grad.dtype == torch.float32
    assert float(master.grad) == 258.0


@pytest.mark.parametrize("bf16", [False, True])
def test_what_is_frozen_has_no_gradient_and_stays(bf16: bool) -> None:
    layer = module()
    layer.bias.requires_grad_(False)
    before = layer.bias.detach().to(torch.bfloat16 if bf16 else torch.float32)
    optimizer = make_optimizer(layer, OptimizerConfig(learning_rate=0.1, weight_decay=0.5, bf16=bf16))
    layer(torch.ones(1, 3, dtype=layer.weight.dtype)).sum().backward()
    optimizer.step()
    assert torch.equal(layer.bias, before)


@pytest.mark.parametrize("poison", [math.nan, math.inf, 1e38])
def test_a_step_that_is_not_finite_is_not_taken(poison: float) -> None:
    rows = [replace(examples()[1], advantages=torch.full((2,), poison)), *examples()]
    policy = tiny_policy()
    before = [each.detach().clone() for each in policy.module.parameters()]
    optimizer = torch.optim.AdamW(policy.module.parameters(), lr=1e-2)
    metrics = update(policy, None, rows, optimizer, config(loss_type="pg", algorithm="reinforce"))
    if "frac_steps_skipped" in metrics:
        assert metrics == {"frac_steps_skipped": 1.0}
        assert all(map(torch.equal, before, policy.module.parameters())) and not optimizer.state
    else:
        assert poison == 1e38 and all(each.isfinite().all() for each in policy.module.parameters())


def test_steps_beside_one_that_is_not_finite_are_taken_and_averaged_alone() -> None:
    policy = tiny_policy()
    rows = [replace(examples()[1], advantages=torch.full((2,), math.nan)), *examples()]
    optimizer = torch.optim.AdamW(policy.module.parameters(), lr=1e-2)
    torch.manual_seed(0)
    metrics = update(policy, None, rows, optimizer, config(mini_batches=3))
    assert metrics["frac_steps_skipped"] == pytest.approx(1 / 3)
    assert all(map(math.isfinite, metrics.values())) and metrics["grad_norm"] > 0
    assert all(each.isfinite().all() for each in policy.module.parameters())
