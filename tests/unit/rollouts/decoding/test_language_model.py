"""What every engine of a language model does, whatever the kind of model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny_models import reciting_policy, tiny_policy, tiny_seq2seq

from backsight.rollouts.decoding import language_model
from backsight.rollouts.engines import engine_for
from backsight.types import PartialCompletion, Sampling

PROMPTS = ["the cat", "a", "the dog and the cat sat", "mat", "the", "sat on"] * 2
SEEDS = list(range(len(PROMPTS)))
SAMPLING = Sampling(max_completion_length=12)
MAKERS = pytest.mark.parametrize("make", [tiny_policy, tiny_seq2seq], ids=["causal_lm", "seq2seq_lm"])


def completions(make: Callable[[], Any], sampling: Sampling = SAMPLING) -> list[tuple[Any, torch.Tensor]]:
    found = sorted(engine_for(make()).act(PROMPTS, sampling, SEEDS))
    return [(action.value, action.log_probs) for _, action in found]


@MAKERS
@pytest.mark.parametrize(
    ("limit", "value"), [("LOGIT_ELEMENTS", 1), ("CACHE_BYTES", 1), ("PREFILL_TOKENS", 1), ("COMPACT_BELOW", 1.0)]
)
def test_limits_of_memory_change_no_completion(
    make: Callable[[], Any], limit: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = completions(make)
    monkeypatch.setattr(language_model, limit, value)
    for (tokens, log_probs), (own, own_log_probs) in zip(completions(make), expected, strict=True):
        assert tokens == own
        torch.testing.assert_close(log_probs, own_log_probs, atol=1e-5, rtol=1e-5)


@MAKERS
def test_the_seed_of_an_attempt_decides_and_not_its_place(make: Callable[[], Any]) -> None:
    forwards = completions(make)
    backwards = sorted(engine_for(make()).act(PROMPTS[::-1], SAMPLING, SEEDS[::-1]))
    assert [action.value for _, action in backwards[::-1]] == [tokens for tokens, _ in forwards]


@MAKERS
def test_tokens_that_were_begun_count_towards_the_cap(make: Callable[[], Any]) -> None:
    policy = make()
    begun = tuple(policy.encode("the cat"))[:3]
    sampling = Sampling(max_completion_length=5, min_completion_length=5)
    [(_, action)] = engine_for(policy).act([PartialCompletion("a", begun)], sampling, [0])
    assert len(action.value) == 2
    assert action.text == policy.decode([*begun, *action.value])


@MAKERS
def test_decoded_tokens_are_counted(make: Callable[[], Any]) -> None:
    engine = engine_for(make())
    taken = sum(len(action.value) for _, action in engine.act(PROMPTS, SAMPLING, SEEDS))
    # the first token of each row comes from the prompt's own pass
    assert taken - len(PROMPTS) <= engine.profile.tokens["decode"] <= len(PROMPTS) * SAMPLING.max_completion_length


@MAKERS
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("begun", [0, 3])
def test_a_streamed_action_grows_by_a_token_into_the_one_of_a_batch(
    make: Callable[[], Any], temperature: float, begun: int
) -> None:
    policy = make()
    engine, sampling = engine_for(policy), Sampling(temperature=temperature, max_completion_length=12)
    prompts = [PartialCompletion(prompt, tuple(policy.encode("the cat"))[:begun]) for prompt in PROMPTS[:3]]
    for index, action in engine.act(prompts, sampling, SEEDS[:3]):
        shown = list(engine.stream(prompts[index], sampling, SEEDS[index]))
        assert shown[-1].value == action.value and shown[-1].is_truncated == action.is_truncated
        assert shown[-1].text == action.text
        torch.testing.assert_close(shown[-1].log_probs, action.log_probs, atol=1e-5, rtol=1e-5)
        values = dict.fromkeys(each.value for each in shown)
        assert list(values) == [action.value[: length + 1] for length in range(len(action.value))]


@MAKERS
def test_a_stream_that_is_left_changes_nothing(make: Callable[[], Any]) -> None:
    engine = engine_for(make())
    expected = [action.value for _, action in engine.act(["the cat"], SAMPLING, [1])]
    begun = engine.stream("the cat", SAMPLING, 1)
    assert next(begun).value == expected[0][:1]
    begun.close()
    assert [action.value for _, action in engine.act(["the cat"], SAMPLING, [1])] == expected


def test_thinking_is_marked_in_the_action_and_no_part_of_the_answer() -> None:
    policy = reciting_policy("<think>2!")  # it never closes the tag
    (_, unfinished), *_ = engine_for(policy).act([[{"role": "user", "content": "1+1"}]], SAMPLING, [0])
    assert (unfinished.text, unfinished.answer) == ("<think>2!", "")
    (_, plain), *_ = engine_for(reciting_policy("2!")).act(["1+1"], SAMPLING, [0])
    assert (plain.thought_end, plain.answer) == (0, "2!")
