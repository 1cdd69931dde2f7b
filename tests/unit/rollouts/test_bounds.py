import torch

from backsight.rollouts.bounds import Bound, coarsest


def test_a_bound_is_on_the_largest_and_on_the_mean() -> None:
    found = Bound.of(torch.tensor([0.1, 0.3]))
    assert found.holds(Bound(0.31, 0.21))
    assert not found.holds(Bound(0.29, 0.21)) and not found.holds(Bound(0.31, 0.19))
    assert not Bound.of(torch.tensor([0.1, torch.nan])).holds(Bound(9, 9)), "what is no number is within no bound"


def test_the_coarsest_precision_counts() -> None:
    assert coarsest([torch.float32]) is torch.float32
    assert coarsest([torch.float32, torch.float16]) is torch.float16
    assert coarsest([torch.float16, torch.bfloat16]) is torch.bfloat16
    assert coarsest([torch.float32, torch.uint8]) is torch.bfloat16, "four bits are packed in integers"
