"""The learner's view of a decoder: however a batch is laid out and cut, scores and gradient are those of plain rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from tiny_models import ARCHITECTURES, tiny_policy

from backsight.errors import DataError
from backsight.policies.causal_lm import CausalLMPolicy, is_close
from backsight.policies.opening import open_policy
from backsight.policies.scoring.layout import width
from backsight.policies.text import checkpointed_layers
from backsight.types import Example, PartialCompletion, Sampling, ScoreRequest

Result = tuple[torch.Tensor, torch.Tensor]


EXAMPLES = [
    Example(("ab",), ((5, 6, 7, 0),), "test", torch.zeros(4)),
    Example(("a longer prompt",), ((9, 0),), "test", torch.zeros(2)),
    Example(("",), ((11,),), "test", torch.zeros(1)),
    Example(("two", "steps"), ((12, 0), (13, 14, 0)), "test", torch.zeros(5)),
]


def by_hand(policy: CausalLMPolicy, example: Example, temperature: float) -> torch.Tensor:
    """One row at a time, no padding, the library's own forward."""
    scores = []
    for prompt, response in zip(example.prompts, example.responses, strict=True):
        tokens = torch.tensor([[*policy.prompt_tokens(prompt), *response]])
        log_probs = (policy.model(tokens).logits[0].float() / temperature).log_softmax(-1)
        start = tokens.shape[1] - len(response) - 1
        scores += [log_probs[start + offset, token] for offset, token in enumerate(response)]
    return torch.stack(scores)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
@torch.no_grad()
def test_padding_changes_nothing(architecture: str) -> None:
    policy = tiny_policy(architecture)
    policy.model.eval()
    together = policy.log_probs(EXAMPLES, Sampling(0.7)).log_probs_N
    alone = torch.cat([by_hand(policy, example, 0.7) for example in EXAMPLES])
    assert torch.allclose(together, alone, atol=2e-5)


@torch.no_grad()
def test_entropy_and_uniform_log_probs_only_when_asked_for() -> None:
    policy = tiny_policy()
    policy.model.eval()
    bare = policy.log_probs(EXAMPLES)
    assert bare.entropy_N is None and bare.uniform_log_probs_N is None
    full = policy.log_probs(EXAMPLES, request=ScoreRequest(entropy=True, uniform=True))
    tokens = torch.tensor([[*policy.prompt_tokens("ab"), 5]])
    log_probs = policy.model(tokens).logits[0, -2].log_softmax(-1)
    assert full.entropy_N is not None and full.uniform_log_probs_N is not None
    assert float(full.entropy_N[0]) == pytest.approx(float(-(log_probs.exp() * log_probs).sum()), abs=1e-5)
    assert float(full.uniform_log_probs_N[0]) == pytest.approx(float(log_probs.mean()), abs=1e-4)


def test_a_saved_policy_loads_and_scores_the_same(tmp_path: Path) -> None:
    policy = tiny_policy()
    policy.model.eval()
    policy.save(tmp_path)
    loaded = open_policy(str(tmp_path))
    with torch.no_grad():
        assert torch.equal(policy.log_probs(EXAMPLES).log_probs_N, loaded.log_probs(EXAMPLES).log_probs_N)
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".bin", ".pt", ".pkl")]


def test_a_prompt_that_is_too_long_is_named() -> None:
    policy = tiny_policy("gpt2")
    policy.check_prompt("short", 8)
    with pytest.raises(DataError, match="128"):
        policy.check_prompt("x" * 125, 8)


def siblings() -> list[Example]:
    """Four prompts with one to six siblings of many lengths."""
    generator = torch.Generator().manual_seed(0)
    made = []
    for number, prompt in enumerate(["a longer prompt than others", "x", "", "another one that is long", "b"]):
        for _ in range(1 + (5 * number) % 6):
            length = int(torch.randint(1, 7, (1,), generator=generator))
            tokens = tuple(torch.randint(2, 90, (length,), generator=generator).tolist())
            made.append(Example((prompt,), (tokens,), "test", torch.randn(length, generator=generator)))
    return made


def result(policy: CausalLMPolicy, batches: list[list[int]]) -> Result:
    """Log-probabilities in the order of the examples, and the gradient of their weighted sum."""
    rows = siblings()
    found: list[torch.Tensor] = [torch.zeros(0)] * len(rows)
    policy.module.zero_grad()
    for batch in batches:
        part = [rows[index] for index in batch]
        log_probs_N = policy.log_probs(part, Sampling(0.9)).log_probs_N
        (log_probs_N * torch.cat([each.advantages for each in part])).sum().backward()  # type: ignore[no-untyped-call]
        for index, own in zip(batch, log_probs_N.detach().split([each.num_decisions for each in part]), strict=True):
            found[index] = own
    gradient = torch.cat([each.grad.flatten() for each in policy.module.parameters() if each.grad is not None])
    return torch.cat(found), gradient


def plain(policy: CausalLMPolicy) -> Result:
    """Row by row: no padding, nothing shared."""
    with branching(policy, False):
        return result(policy, [[index] for index in range(len(siblings()))])


@contextmanager
def branching(policy: CausalLMPolicy, is_on: bool) -> Iterator[None]:
    policy.anatomy.can_branch = is_on
    policy.anatomy.attention_width = 1e6  # attention as good as free: share whatever can be shared
    yield


def assert_same(found: Result, expected: Result) -> None:
    assert torch.allclose(found[0], expected[0], atol=2e-5)
    assert float((found[1] - expected[1]).norm() / expected[1].norm()) < 1e-5


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_shared_packed_sorted_and_plain_rows_give_the_same(architecture: str) -> None:
    policy = tiny_policy(architecture)
    expected, rows = plain(policy), siblings()
    with branching(policy, False):
        cut = policy.micro_batches(rows, 60)
        assert 1 < len(cut) < len(rows)
        assert_same(result(policy, cut), expected)
    if architecture == "gemma2":
        policy.anatomy.window = 64  # as if it were wide enough: see the test below
        policy.model.config.sliding_window = 64
        for layer in policy.model.model.layers:
            layer.self_attn.sliding_window = 64 if layer.self_attn.sliding_window else None
        expected = plain(policy)
        policy.anatomy.can_branch = policy.anatomy._can_branch()
    assert policy.anatomy._can_branch()
    with branching(policy, True):
        whole = policy._rows(policy._pairs(rows))
        assert any(len(tree.branches) > 1 for row in whole for tree in row), "nothing is shared"
        assert any(len(row) > 1 for row in whole), "nothing is packed"
        assert sum(map(width, whole)) < sum(policy._extent([each])[1] for each in rows)
        assert_same(result(policy, [list(range(len(rows)))]), expected)
        assert_same(result(policy, policy.micro_batches(rows, 80)), expected)


def test_siblings_of_a_long_prompt_stay_together_beyond_the_budget() -> None:
    """A prompt that takes the budget by itself is still computed once; a budget of 1 takes them apart all the same."""
    policy = tiny_policy()
    policy.anatomy.attention_width = 1e6
    rows = [Example(("x" * 99,), ((5, 6, 7, 0),), "test", torch.zeros(4)) for _ in range(8)]
    assert policy.micro_batches(rows, 100) == [list(range(8))]  # 101 tokens alone, 121 together
    assert policy.micro_batches(rows, 20) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert policy.micro_batches(rows, 1) == [[index] for index in range(8)]


def test_nothing_is_shared_beyond_a_sliding_window() -> None:
    policy = tiny_policy("gemma2")  # its window is 8
    assert not policy.anatomy.can_share(9)


def test_a_model_that_ignores_the_mask_is_found_out() -> None:
    policy = tiny_policy()
    forward = policy.model.base_model.forward
    policy.model.base_model.forward = lambda **named: forward(**{**named, "attention_mask": None})
    assert policy.anatomy.has_head and not policy.anatomy.can_branch


def test_a_model_that_scales_its_logits_is_found_out_and_scored_all_the_same() -> None:
    policy = tiny_policy()
    head = policy.model.forward

    def scaled(**named: object) -> object:
        output = head(**named)
        output.logits = output.logits * 0.5
        return output

    policy.model.forward = scaled
    assert not policy.anatomy.has_head
    example = siblings()[0]
    tokens = torch.tensor([[*policy.prompt_tokens(example.prompts[0]), *example.responses[0]]])
    log_probs = policy.model(input_ids=tokens).logits[0].detach().log_softmax(-1)
    start = tokens.shape[1] - example.num_decisions - 1
    by_hand = [float(log_probs[start + place, token]) for place, token in enumerate(example.responses[0])]
    assert policy.log_probs([example]).log_probs_N.tolist() == pytest.approx(by_hand, abs=1e-5)


def test_layers_that_are_recomputed_change_nothing() -> None:
    policy = tiny_policy()
    expected = result(policy, [list(range(len(siblings())))])
    assert policy.recompute_layers() and not policy.recompute_layers()
    calls = []
    checkpointed_layers(policy.model)[0].register_forward_hook(lambda *_: calls.append(1))
    assert_same(result(policy, [list(range(len(siblings())))]), expected)
    assert calls


def test_what_is_begun_of_a_completion_counts_towards_its_length() -> None:
    policy = tiny_policy("gpt2")  # 128 positions, and one token before the prompt
    policy.check_prompt(PartialCompletion("x" * 119, (5, 6, 7)), 8)
    with pytest.raises(DataError, match="128"):
        policy.check_prompt(PartialCompletion("x" * 120, (5, 6, 7)), 8)
    policy.check_prompt(PartialCompletion("x" * 118, (5,) * 9), 8)


def test_rounding_is_told_from_a_fault() -> None:
    """Logits of up to 32 round by 0.0042 at most (SmolLM2 against float64); faults that were seen begin at 0.1."""
    logits = torch.linspace(-32, 32, 9)
    for dtype, wrong in ((torch.float32, 0.02), (torch.bfloat16, 2.0)):
        assert is_close(logits.to(dtype) + 0.0042, logits.to(dtype))
        assert not is_close(logits.to(dtype) + wrong, logits.to(dtype))
