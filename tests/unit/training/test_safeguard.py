"""A policy that is no longer whole is found out, and goes back to the last one that was."""

import pytest
import torch
from tiny_models import tiny_policy

from backsight.policies.causal_lm import CausalLMPolicy
from backsight.training.config import OptimizerConfig
from backsight.training.safeguard import Safeguard
from backsight.training.update import make_optimizer
from backsight.types import Example

ROW = Example(("p",), ((5, 6),), "outcome", torch.ones(2), torch.zeros(2))


def weights(policy: CausalLMPolicy) -> list[torch.Tensor]:
    return [each.detach().clone() for each in policy.module.parameters()]


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e30])
def test_broken_weights_are_set_back(value: float, bf16: bool) -> None:
    policy = tiny_policy()
    optimizer = make_optimizer(policy.module, OptimizerConfig(bf16=bf16))
    guard, whole = Safeguard(policy, optimizer), weights(policy)
    guard.keep()
    masters = [each for group in optimizer.param_groups for each in group["params"]]
    kept = [each.detach().clone() for each in masters]
    with torch.no_grad():
        for each in masters:
            each.fill_(value)
        for weight, master in zip(policy.module.parameters(), masters, strict=True):
            weight.copy_(master)
    assert not guard.is_whole([ROW])
    guard.undo()
    assert all(map(torch.equal, weights(policy), whole)) and all(map(torch.equal, masters, kept))
    assert guard.is_whole([ROW]) and guard.is_whole([])


def test_weights_that_are_finite_and_too_large_to_be_run_are_no_whole_policy() -> None:
    policy = tiny_policy()
    guard = Safeguard(policy, make_optimizer(policy.module, OptimizerConfig()))
    with torch.no_grad():
        policy.model.lm_head.weight.fill_(3e18)
        policy.model.model.norm.weight.fill_(3e18)
        policy.model.model.norm.weight.mul_(1e2)
    assert all(each.isfinite().all() for each in policy.module.parameters())
    assert not guard.is_whole([ROW])


def test_what_the_optimizer_knew_of_broken_weights_is_forgotten() -> None:
    policy = tiny_policy()
    optimizer = make_optimizer(policy.module, OptimizerConfig())
    guard = Safeguard(policy, optimizer)
    guard.keep()
    policy.log_probs([ROW]).log_probs_N.sum().backward()
    optimizer.step()
    assert optimizer.state
    guard.undo()
    assert not optimizer.state


def test_the_weights_are_kept_once_a_training_step_and_only_when_they_are_about_to_change() -> None:
    policy = tiny_policy()
    optimizer = make_optimizer(policy.module, OptimizerConfig())
    guard = Safeguard(policy, optimizer)
    guard.begin()
    assert not guard.has_changed
    for _ in range(2):
        before = weights(policy)
        guard.begin()
        for _ in range(2):
            optimizer.zero_grad()
            policy.log_probs([ROW]).log_probs_N.sum().backward()
            optimizer.step()
        assert guard.has_changed and not all(map(torch.equal, weights(policy), before))
        place = [each.data_ptr() for each in guard._kept]
        guard.undo()
        assert all(map(torch.equal, weights(policy), before))
    assert place == [each.data_ptr() for each in guard._kept]
