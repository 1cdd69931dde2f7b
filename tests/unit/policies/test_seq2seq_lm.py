"""The learner's view of an encoder-decoder, what is shared, and what does not fit."""

import pytest
import torch
from tiny_models import ENCODER_DECODERS, tiny_seq2seq
from torch import nn
from transformers import GenerationConfig

from backsight.errors import ConfigError, DataError, ModelError
from backsight.policies.seq2seq_lm import Seq2SeqLMPolicy
from backsight.policies.text import checkpointed_layers
from backsight.types import Example, PartialCompletion, Sampling


def example(prompt: object, response: tuple[int, ...]) -> Example:
    return Example((prompt,), (response,), "test", torch.zeros(len(response)))


EXAMPLES = [
    example("ab", (5, 6, 7, 0)),
    example("a longer prompt", (9, 0)),
    example("", (11,)),
    Example(("two", "steps"), ((12, 0), (13, 14, 0)), "test", torch.zeros(5)),
    example("ab", (8, 0)),
]


@pytest.mark.parametrize("architecture", ENCODER_DECODERS)
def test_what_is_shared_and_padded_changes_neither_scores_nor_gradient(architecture: str) -> None:
    policy = tiny_seq2seq(architecture)
    weights_N = torch.randn(14, generator=torch.Generator().manual_seed(0))

    def gradient() -> torch.Tensor:
        found = torch.cat([each.grad.flatten() for each in policy.module.parameters() if each.grad is not None])
        policy.module.zero_grad()
        return found

    together_N = policy.log_probs(EXAMPLES, Sampling(0.7)).log_probs_N
    (together_N * weights_N).sum().backward()  # type: ignore[no-untyped-call]
    expected = gradient()
    alone_N = torch.cat([policy.log_probs([each], Sampling(0.7)).log_probs_N for each in EXAMPLES])
    (alone_N * weights_N).sum().backward()  # type: ignore[no-untyped-call]
    assert torch.allclose(together_N, alone_N, atol=2e-5)
    assert float((gradient() - expected).norm() / expected.norm()) < 1e-5


def test_a_prompt_is_encoded_once_for_its_siblings() -> None:
    policy, read = tiny_seq2seq(), []
    policy.anatomy.encoder.register_forward_pre_hook(
        lambda _, __, named: read.append(named["input_ids"].shape), with_kwargs=True
    )
    rows = [example("the same", (5, 6, 0))] * 3
    assert policy.log_probs(rows).num_tokens == len(policy.prompt_tokens("the same")) + 3 * 3
    assert read == [(1, len(policy.prompt_tokens("the same")))]


def test_siblings_stay_together_as_far_as_the_budget_lets_them() -> None:
    policy = tiny_seq2seq()
    rows = [example("x" * 39, (5, 6, 0)), example("y", (7, 0)), example("x" * 39, (8, 9, 0))]
    assert policy.micro_batches(rows, 10**6) == [[0, 2, 1]]
    assert policy.micro_batches(rows, 50) == [[0, 2], [1]]  # 40 tokens of prompt, and a start and three tokens for each
    assert policy.micro_batches(rows, 47) == [[0], [2], [1]]


@pytest.mark.parametrize("architecture", ENCODER_DECODERS)
@torch.no_grad()
def test_a_completion_that_is_begun_goes_on(architecture: str) -> None:
    """Its tokens are read by the decoder, and count where a completion may not end yet."""
    policy, sampling = tiny_seq2seq(architecture), Sampling(0.8, top_k=20, min_completion_length=4)
    whole_N = policy.log_probs([example("ab", (5, 6, 7, 0))], sampling).log_probs_N
    rest_N = policy.log_probs([example(PartialCompletion("ab", (5, 6)), (7, 0))], sampling).log_probs_N
    assert torch.allclose(whole_N[2:], rest_N, atol=2e-5)
    assert policy.prompt_tokens(PartialCompletion("ab", (5, 6))) == policy.prompt_tokens("ab")


@pytest.mark.parametrize("architecture", ENCODER_DECODERS)
@torch.no_grad()
def test_a_model_that_makes_logits_in_its_own_way_is_scored_by_the_whole(architecture: str) -> None:
    policy = tiny_seq2seq(architecture)
    forward = policy.model.forward

    def odd(**named: object) -> object:
        outputs = forward(**named)
        outputs.logits = outputs.logits * 0.5
        return outputs

    expected_N = policy.log_probs(EXAMPLES, Sampling(2.0)).log_probs_N
    assert policy.anatomy.scale is not None
    policy.model.forward = odd
    del policy.__dict__["anatomy"]
    assert policy.anatomy.scale is None and isinstance(policy.anatomy.head, nn.Identity)
    assert torch.allclose(policy.log_probs(EXAMPLES).log_probs_N, expected_N, atol=2e-5)


def test_layers_that_are_recomputed_change_nothing() -> None:
    policy = tiny_seq2seq()
    expected_N = policy.log_probs(EXAMPLES).log_probs_N
    assert policy.recompute_layers() and not policy.recompute_layers()
    calls: list[int] = []
    checkpointed_layers(policy.model)[-1].register_forward_hook(lambda *_: calls.append(1))
    found_N = policy.log_probs(EXAMPLES).log_probs_N
    found_N.sum().backward()  # type: ignore[no-untyped-call]
    assert torch.equal(found_N, expected_N) and calls


def test_prompts_and_completions_have_limits_of_their_own() -> None:
    tiny_seq2seq("t5").check_prompt("x" * 1000, 1000)  # it knows distances only
    policy = tiny_seq2seq("bart")
    policy.check_prompt("x" * 127, 126)
    with pytest.raises(DataError, match="129 tokens exceed the encoder's 128; shorten the prompt"):
        policy.check_prompt("x" * 128, 8)
    with pytest.raises(
        DataError, match="127: with the 2 tokens it begins with, it exceeds the decoder's 128; lower it"
    ):
        policy.check_prompt("short", 127)
    # what is begun of the completion counts towards its length
    assert policy.fits(PartialCompletion("short", (5,)), 126) and not policy.fits(PartialCompletion("short", (5,)), 127)


def test_what_the_decoder_begins_with_is_given() -> None:
    assert tiny_seq2seq("t5").start_tokens == (1,)
    assert tiny_seq2seq("bart").start_tokens == (1, 5)
    policy = tiny_seq2seq("t5")
    policy.model.generation_config = GenerationConfig()
    assert Seq2SeqLMPolicy(policy.model, policy.tokenizer).start_tokens == (1,)  # the model's configuration has it too
    policy.model.config.decoder_start_token_id = policy.model.config.bos_token_id = None
    with pytest.raises(ModelError, match="end-of-text|decoder_start_token_id"):
        Seq2SeqLMPolicy(policy.model, policy.tokenizer)


def test_what_cannot_be_learnt_from_is_refused() -> None:
    with pytest.raises(ConfigError, match="repetition_penalty"):
        tiny_seq2seq().log_probs(EXAMPLES, Sampling(repetition_penalty=1.2))
