"""Two policies as one: their logits are mixed, not their probabilities."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tiny_models import tiny_policy, tiny_seq2seq

from backsight.policies.blended import BlendedPolicy
from backsight.policies.text import LanguageModelPolicy
from backsight.types import Example, Sampling, ScoreRequest

EXAMPLES = [
    Example(("ab",), ((5, 6, 0),), "test", torch.zeros(3)),
    Example(("a longer prompt",), ((9,),), "test", torch.zeros(1)),
    Example(("ab",), ((8, 0),), "test", torch.zeros(2)),
]
Make = Callable[..., LanguageModelPolicy]


@pytest.mark.parametrize("make", [tiny_policy, tiny_seq2seq])
@torch.no_grad()
def test_the_logits_are_moved_by_the_share(make: Make) -> None:
    anchor, other = make(seed=0), make(seed=1)
    vocabulary = len(anchor.tokenizer)
    every = ScoreRequest(support_NK=torch.arange(vocabulary).expand(6, -1))
    found, one, two = (
        each.log_probs(EXAMPLES, Sampling(0.7), every).support_log_probs_NK
        for each in (BlendedPolicy(anchor, other, 0.3), anchor, other)
    )
    assert found is not None and one is not None and two is not None
    torch.testing.assert_close(found, torch.lerp(one, two, 0.3).log_softmax(-1), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_at_either_end_it_is_one_of_the_two_and_both_are_computed() -> None:
    anchor, other = tiny_policy(seed=0), tiny_policy(seed=1)
    for share, alone in ((0.0, anchor), (1.0, other)):
        blended, expected = BlendedPolicy(anchor, other, share).log_probs(EXAMPLES), alone.log_probs(EXAMPLES)
        torch.testing.assert_close(blended.log_probs_N, expected.log_probs_N)
        assert blended.num_tokens == 2 * expected.num_tokens


def test_batches_are_cut_as_the_anchor_cuts_them() -> None:
    anchor = tiny_policy()
    assert BlendedPolicy(anchor, tiny_policy(seed=1), 0.3).micro_batches(EXAMPLES, 20) == anchor.micro_batches(
        EXAMPLES, 20
    )


@pytest.mark.parametrize("make", [tiny_policy, tiny_seq2seq])
@torch.no_grad()
def test_one_policy_is_moved_from_what_it_thinks_without_the_hint(make: Make) -> None:
    policy = make()
    plain = [replace(each, teacher_prompts=(f"hint {place}",)) for place, each in enumerate(EXAMPLES)]
    read = [each.exchanged for each in plain]
    assert [each.prompts for each in read] == [("hint 0",), ("hint 1",), ("hint 2",)]
    assert [each.exchanged for each in read] == plain
    every = ScoreRequest(support_NK=torch.arange(len(policy.tokenizer)).expand(6, -1))
    blended = BlendedPolicy(policy, policy, 0.3, anchor_reads_other_prompts=True)
    found, without, told = (
        each.log_probs(rows, Sampling(), every).support_log_probs_NK
        for each, rows in ((blended, read), (policy, plain), (policy, read))
    )
    assert found is not None and without is not None and told is not None
    torch.testing.assert_close(found, torch.lerp(without, told, 0.3).log_softmax(-1), rtol=1e-4, atol=1e-4)
