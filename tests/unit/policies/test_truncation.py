"""Truncated sampling, against probabilities worked out by hand and against transformers' own processors."""

import pytest
import torch
from transformers import MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from backsight.policies.truncation import behaviour_logits
from backsight.types import Sampling

LOGITS = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
FIRST = torch.zeros(1, dtype=torch.long)


def kept(sampling: Sampling, taken: int | None = None, position: int = 0) -> list[int]:
    taken_N = None if taken is None else torch.tensor([taken])
    logits = behaviour_logits(LOGITS, sampling, FIRST + position, (0,), taken_N)
    return logits[0].isfinite().nonzero()[:, 0].tolist()


def test_nothing_is_cut_off_by_default() -> None:
    assert kept(Sampling()) == [0, 1, 2, 3]
    assert torch.equal(behaviour_logits(LOGITS, Sampling(temperature=0.5), FIRST, ()), LOGITS / 0.5)


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(top_k=2), [0, 1]),
        (Sampling(top_p=0.5), [0]),
        (Sampling(top_p=0.51), [0, 1]),
        (Sampling(top_p=0.96), [0, 1, 2, 3]),
        (Sampling(min_p=0.31), [0, 1]),
        (Sampling(min_p=0.29), [0, 1, 2]),
        (Sampling(top_k=3, top_p=0.9), [0, 1, 2]),
        (Sampling(top_k=2, top_p=0.6), [0]),  # of the two that are left, the first has five eighths
        (Sampling(min_completion_length=2), [1, 2, 3]),
    ],
)
def test_what_stays_possible(sampling: Sampling, expected: list[int]) -> None:
    assert kept(sampling) == expected


def test_the_end_is_possible_once_the_completion_is_long_enough() -> None:
    assert kept(Sampling(min_completion_length=2), position=1) == [0, 1, 2, 3]


def test_what_was_taken_stays_possible() -> None:
    assert kept(Sampling(top_k=1), taken=3) == [0, 3]


@pytest.mark.parametrize(
    ("sampling", "warper"),
    [
        (Sampling(top_k=7), TopKLogitsWarper(7)),
        (Sampling(top_p=0.8), TopPLogitsWarper(0.8)),
        (Sampling(min_p=0.05), MinPLogitsWarper(0.05)),
    ],
)
def test_transformers_agrees(sampling: Sampling, warper: object) -> None:
    logits = torch.randn(64, 50, generator=torch.Generator().manual_seed(0)) * 3
    expected = warper(None, logits.clone())  # type: ignore[operator]
    found = behaviour_logits(logits, sampling, torch.zeros(64, dtype=torch.long), ())
    assert torch.equal(found.isfinite(), expected.isfinite())
