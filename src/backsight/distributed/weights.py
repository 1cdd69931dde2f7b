"""The trained weights of a policy, and where they lie: in one process, or shared out among ranks.

Shared out, each rank holds rows of every weight, and what belongs to them: gradients, moments, masters. That is torch's
`fully_shard` (FSDP2, after ZeRO, arXiv:1910.02054). While gradients are computed, a layer's weights are whole on a rank
only as long as the layer computes. At all other times they are whole everywhere, so that whoever samples, scores or
saves finds an ordinary module, and no other room has to know of ranks.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.nn.utils import get_total_norm

from backsight.errors import ConfigError
from backsight.policies.base import trained_weights
from backsight.policies.memory import round_to_bfloat16
from backsight.policies.text import checkpointed_layers

T = TypeVar("T")


class Weights:
    """The trained weights of a module in one process, which are the module's own."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    @property
    def shards(self) -> list[nn.Parameter] | None:
        """What this rank holds of each weight, in their order; None where it holds the module's own, whole."""
        return None

    def share_out(self) -> None:
        """Let go of all but this rank's part of the weights, before gradients are computed, and of old gradients."""

    def compute(self, function: Callable[[], T]) -> T:
        """Return what the function computes of the module, to take a gradient of it. All ranks have to call."""
        return function()

    def sum_gradients(self) -> None:
        """Hand what the passes of all ranks have added up to the weights that the optimizer changes."""

    def gather(self) -> None:
        """Make the weights whole again on every rank, as the optimizer has changed them."""

    def norm(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return the length of all weights, or of all gradients, of which these are the parts that lie here."""
        return get_total_norm(tensors)

    @torch.no_grad()
    def follow(self, optimized: Sequence[Tensor]) -> None:
        """Let the module compute with these, which the optimizer holds: the weights, their masters, or shards."""
        for weight, own in zip(trained_weights(self.module).values(), optimized, strict=True):
            if weight is not own:
                weight.copy_(own)

    def rows(self, count: int) -> slice:
        """Return which of `count` rows of a weight lie here."""
        return slice(0, count)


class ShardedWeights(Weights):
    """The trained weights of a module, shared out by rows. Weights that are not trained are whole on every rank.

    Sampling needs them whole in any case: to share out a base beneath an adapter would take more memory, not less.
    """

    def __init__(self, module: nn.Module, mesh: Any, bf16: bool) -> None:
        """Share out the weights of a module on a mesh of ranks; with `bf16` it computes in bfloat16."""
        super().__init__(module)
        self.mesh = mesh
        frozen = {weight for weight in module.parameters() if not weight.requires_grad}
        precision = MixedPrecisionPolicy()
        if bf16:
            precision = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
            round_to_bfloat16(module, frozen)
        warnings.filterwarnings("ignore", message="FSDP2-wrapped module")  # no block here is changed in place
        self._whole = _Whole(module)
        parts = [*_blocks(module), self._whole]
        self._parts: list[FSDPModule] = [
            fully_shard(layers, mesh=mesh, mp_policy=precision, ignored_params=frozen) for layers in parts
        ]
        for part in self._parts:
            part.set_gradient_divide_factor(1.0)  # the loss is a mean over the batch of all ranks already
            part.set_force_sum_reduction_for_comms(True)
            part.set_reduce_scatter_unused_params(True)  # a rank may have no row that uses a weight
        self._sharded = cast(dict[str, Any], trained_weights(module))
        self._shards = [nn.Parameter(each.to_local().detach()) for each in self._sharded.values()]
        with torch.no_grad():
            self.compute(lambda: torch.zeros(1))  # whoever computes first is the root for torch
        for layer in self._whole.modules():  # torch would answer with shards, whole or not, when a model is saved
            layer._state_dict_pre_hooks.clear()
        self.gather()

    @property
    def shards(self) -> list[nn.Parameter]:
        return self._shards

    def share_out(self) -> None:
        self._set_reshard(True)
        self._parts[-1].reset_iter_state()  # a trial of a layout may have failed on the way
        for weight in self._sharded.values():
            weight.grad = None

    def compute(self, function: Callable[[], T]) -> T:
        return cast(T, self._whole(function))

    def sum_gradients(self) -> None:
        for shard, each in zip(self._shards, self._sharded.values(), strict=True):
            shard.grad = None if each.grad is None else each.grad.to_local()
            each.grad = None

    def norm(self, tensors: Sequence[Tensor]) -> Tensor:
        square = get_total_norm(tensors).square().to(self.mesh.device_type).reshape(())
        torch.distributed.all_reduce(square, group=self.mesh.get_group())
        return square.sqrt()

    def follow(self, optimized: Sequence[Tensor]) -> None:
        for each in self._parts:
            each.reshard()
        self.gather()

    def rows(self, count: int) -> slice:
        size, rank = self.mesh.size(), self.mesh.get_local_rank()
        each = math.ceil(count / size)  # as `torch.chunk` cuts: the last ranks may have fewer rows, or none
        return slice(min(count, rank * each), min(count, (rank + 1) * each))

    def gather(self) -> None:
        for shard in self._shards:
            shard.grad = None  # nobody needs it while weights are whole, and memory is short
        self._set_reshard(False)
        for each in self._parts:
            each.unshard()

    def _set_reshard(self, is_on: bool) -> None:
        """Say whether a layer lets go of its weights after its forward pass. What stands outside of layers never does:
        the head reads it until the backward pass is over."""
        for block in self._parts[:-1]:
            block.set_reshard_after_forward(is_on, recurse=False)


class _Whole(nn.Module):
    """A module around the trained one, whose forward pass is any function: policies call parts of their model."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, function: Callable[[], T]) -> T:
        return function()


def check_can_shard() -> None:
    """Check that torch can share out weights.

    Raises:
        ConfigError: when it is too old.
    """
    if not hasattr(FSDPModule, "set_reduce_scatter_unused_params"):
        raise ConfigError("torch", torch.__version__, "cannot share out weights among ranks; take 2.13 or later")


def _blocks(module: nn.Module) -> list[nn.Module]:
    """Return the layers of a model, which are whole one after the other; those inside of others left out."""
    blocks = checkpointed_layers(module)
    inner = {id(part) for block in blocks for part in block.modules() if part is not block}
    return [block for block in blocks if id(block) not in inner]
