import pytest
import torch
from torch import nn

from backsight.distributed.weights import Weights


def test_weights_of_one_process_are_the_modules_own() -> None:
    module = nn.Linear(3, 2)
    weights = Weights(module)
    weights.share_out()
    loss = weights.compute(lambda: module(torch.ones(1, 3)).sum())
    loss.backward()
    weights.sum_gradients()
    assert weights.shards is None
    assert module.bias.grad is not None and module.bias.grad.tolist() == [1.0, 1.0]
    assert weights.rows(5) == slice(0, 5)
    assert float(weights.norm([torch.tensor([3.0]), torch.tensor([4.0])])) == pytest.approx(5.0)


def test_a_module_follows_its_masters() -> None:
    module = nn.Linear(2, 1, bias=False).to(torch.bfloat16)
    Weights(module).follow([torch.tensor([[0.5, 1.0 + 2**-12]])])
    assert module.weight.tolist() == [[0.5, 1.0]]
    assert module.weight.dtype == torch.bfloat16
