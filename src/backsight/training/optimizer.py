"""The optimizer; with bf16, weights in bfloat16 for the model and a float32 master copy for the optimizer.

A step of the size of a usual learning rate is lost in the eight bits of a bfloat16 number; in the master it is not.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from backsight.policies.base import trained
from backsight.training.config import OptimizerConfig

HAS_FUSED = ("cpu", "cuda")
"""Devices on which AdamW updates all weights in one pass."""


def make_optimizer(module: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """AdamW. Its parameters are those of the module that are trained, in their order, or their masters."""
    parameters = _master_weights(module) if config.bf16 else list(trained(module).values())
    optimizer = torch.optim.AdamW(
        parameters,
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        fused=all(each.device.type in HAS_FUSED for each in parameters),
    )
    if config.bf16:
        optimizer.register_step_post_hook(lambda *_: _round_to(module, parameters))
    return optimizer


def _master_weights(module: nn.Module) -> list[nn.Parameter]:
    """Turn the module to bfloat16; returns the masters of what is trained of it, in its order.

    A gradient is added to its master's in float32 as soon as it is there, so that accumulation loses nothing either.
    """
    parameters = list(trained(module).values())
    masters = [nn.Parameter(parameter.detach().float().clone()) for parameter in parameters]
    module.to(torch.bfloat16)
    for parameter, master in zip(parameters, masters, strict=True):
        parameter.register_post_accumulate_grad_hook(_passing_on_to(master))  # type: ignore[no-untyped-call]
    return masters


def _passing_on_to(master: nn.Parameter) -> Callable[[Tensor], None]:
    def pass_on(parameter: Tensor) -> None:
        assert parameter.grad is not None
        if master.grad is None:
            master.grad = parameter.grad.float()
        else:
            master.grad += parameter.grad
        parameter.grad = None

    return pass_on


@torch.no_grad()
def _round_to(module: nn.Module, masters: list[nn.Parameter]) -> None:
    """Set the module's weights to their masters, rounded."""
    for parameter, master in zip(trained(module).values(), masters, strict=True):
        parameter.copy_(master)
