"""Truncated sampling, against probabilities by hand and transformers' own processors, and scores in chunks."""

import pytest
import torch
from tiny_models import tiny_policy
from transformers import MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from backsight.policies.scoring import log_probs
from backsight.policies.scoring.kept_logits import taken_log_probs
from backsight.policies.scoring.log_probs import behaviour_logits
from backsight.types import Example, Sampling, ScoreRequest

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


def examples() -> list[Example]:
    """Four prompts with one to six siblings of many lengths."""
    generator = torch.Generator().manual_seed(0)
    made = []
    for number, prompt in enumerate(["a longer prompt than others", "x", "", "another one that is long", "b"]):
        for _ in range(1 + (5 * number) % 6):
            length = int(torch.randint(1, 7, (1,), generator=generator))
            tokens = tuple(torch.randint(2, 90, (length,), generator=generator).tolist())
            made.append(Example((prompt,), (tokens,), "test", torch.randn(length, generator=generator)))
    return made


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.7, top_k=9, min_completion_length=3)])
def test_chunks_of_logits_change_nothing(sampling: Sampling, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for elements in (2**25, 1):
        monkeypatch.setattr(log_probs, "CHUNK_ELEMENTS", elements)
        policy = tiny_policy()
        decisions = policy.log_probs(examples(), sampling, request=ScoreRequest(entropy=True, uniform=True))
        assert decisions.entropy_N is not None and decisions.uniform_log_probs_N is not None
        (decisions.log_probs_N.sum() + decisions.entropy_N.sum() + decisions.uniform_log_probs_N.sum()).backward()  # type: ignore[no-untyped-call]
        gradient = torch.cat([each.grad.flatten() for each in policy.module.parameters() if each.grad is not None])
        results.append((decisions.log_probs_N.detach(), decisions.entropy_N.detach(), gradient))
    for whole, chunked in zip(*results, strict=True):
        assert float((whole - chunked).norm() / whole.norm()) < 1e-5


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("is_trained", [True, False])
def test_logits_that_are_kept_change_nothing(
    temperature: float, is_trained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_probs, "CHUNK_ELEMENTS", 1)
    results = []
    for elements in (0, 2**27):
        monkeypatch.setattr(log_probs, "KEPT_ELEMENTS", elements)
        policy = tiny_policy()
        policy.model.lm_head.weight.requires_grad_(is_trained)
        log_probs_N = policy.log_probs(examples(), Sampling(temperature)).log_probs_N
        assert ("TakenLogProbs" in type(log_probs_N.grad_fn).__name__) == (elements > 0)
        (log_probs_N * torch.arange(1.0, len(log_probs_N) + 1)).sum().backward()  # type: ignore[no-untyped-call]
        gradients = [each.grad.flatten() for each in policy.module.parameters() if each.grad is not None]
        results.append((log_probs_N.detach(), torch.cat(gradients)))
    for chunked, kept_whole in zip(*results, strict=True):
        assert float((chunked - kept_whole).norm() / chunked.norm()) < 1e-5


def test_logits_that_are_kept_serve_one_backward_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_probs, "CHUNK_ELEMENTS", 1)
    total = tiny_policy().log_probs(examples(), Sampling()).log_probs_N.sum()
    total.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()  # type: ignore[no-untyped-call]


def test_a_token_that_is_next_to_impossible_has_a_finite_log_probability() -> None:
    hidden_NH, weight_VH = torch.tensor([[1.0]], requires_grad=True), torch.tensor([[0.0], [200.0]])
    found_N = taken_log_probs(hidden_NH, weight_VH, torch.tensor([0]), 1.0)
    found_N.sum().backward()
    assert found_N.tolist() == [-200.0] and hidden_NH.grad is not None and hidden_NH.grad.tolist() == [[-200.0]]
