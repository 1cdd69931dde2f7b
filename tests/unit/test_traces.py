"""A trace holds what a step did; the records themselves have nothing to go wrong but their defaults."""

import torch

from backsight.traces import Alternative, Trace
from backsight.types import Example


def test_a_trace_without_teacher_and_reference_says_so() -> None:
    row = Example(("p",), ((5,),), "outcome", torch.ones(1), torch.zeros(1))
    one_T = torch.zeros(1)
    trace = Trace(row, ("none",), ("a",), one_T, one_T, ((Alternative("b", -1.0),),), one_T, one_T)
    assert trace.teacher_T is None and trace.reference_T is None
