"""Sampling from an encoder-decoder in process."""

from collections.abc import Sequence

import pytest
import torch
from tiny_models import ENCODER_DECODERS, tiny_policy, tiny_seq2seq

from backsight.errors import DataError, ModelError
from backsight.policies.seq2seq_lm import Seq2SeqLMPolicy
from backsight.rollouts.base import Engine
from backsight.rollouts.decoding import seq2seq_lm
from backsight.rollouts.decoding.seq2seq_lm import Seq2SeqLMEngine
from backsight.rollouts.engines import engine_for
from backsight.types import Action, Example, Observation, PartialCompletion, Sampling

PROMPTS: list[Observation] = ["a", "a", "something longer", PartialCompletion("a", (9, 8)), "something longer", ""]


def engine_of(policy: Seq2SeqLMPolicy) -> Seq2SeqLMEngine:
    engine = engine_for(policy)
    assert isinstance(engine, Seq2SeqLMEngine)
    return engine


def acted(
    engine: Engine,
    prompts: Sequence[Observation],
    sampling: Sampling,
    seeds: Sequence[int] | None = None,
) -> list[Action]:
    """The actions in the order of the prompts."""
    actions = dict(engine.act(prompts, sampling, range(len(prompts)) if seeds is None else seeds))
    assert sorted(actions) == list(range(len(prompts)))
    return [actions[index] for index in range(len(prompts))]


def brief(architecture: str) -> Seq2SeqLMEngine:
    """Every fifth token ends a completion, so that rows leave all the while."""
    policy = tiny_seq2seq(architecture)
    policy.end_tokens = (0, *range(4, 250, 5))
    return engine_of(policy)


@pytest.mark.parametrize("architecture", ENCODER_DECODERS)
@pytest.mark.parametrize("settings", [{}, {"repetition_penalty": 1.3}, {"min_completion_length": 5}], ids=str)
@torch.no_grad()
def test_greedy_tokens_are_those_of_generate(architecture: str, settings: dict[str, float]) -> None:
    """`generate` takes the end of a token that it forces for one that was generated."""
    policy, prompts = tiny_seq2seq(architecture), [each for each in PROMPTS if isinstance(each, str)]
    sampling = Sampling(temperature=0.0, max_completion_length=12, **settings)  # type: ignore[arg-type]
    for prompt, action in zip(prompts, acted(engine_of(policy), prompts, sampling), strict=True):
        tokens = torch.tensor([policy.prompt_tokens(prompt)])
        forced = len(policy.start_tokens) - 1
        expected = policy.model.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            do_sample=False,
            max_new_tokens=12 + forced,
            min_new_tokens=max(0, sampling.min_completion_length - 1 + forced),
            repetition_penalty=sampling.repetition_penalty,
            forced_eos_token_id=None,
        )[0]
        assert (*policy.start_tokens, *action.value) == tuple(expected.tolist())


@pytest.mark.parametrize("architecture", ENCODER_DECODERS)
@pytest.mark.parametrize("settings", [{}, {"top_p": 0.7}, {"min_p": 0.1}, {"min_completion_length": 4}], ids=str)
@torch.no_grad()
def test_sampler_and_learner_agree(architecture: str, settings: dict[str, float]) -> None:
    engine = brief(architecture)
    sampling = Sampling(temperature=0.8, max_completion_length=10, **settings)  # type: ignore[arg-type]
    actions = acted(engine, PROMPTS * 3, sampling)
    examples = [
        Example((prompt,), (action.value,), "test", torch.zeros(len(action.value)))
        for prompt, action in zip(PROMPTS * 3, actions, strict=True)
    ]
    learner = engine.policy.log_probs(examples, sampling).log_probs_N
    assert torch.allclose(torch.cat([action.log_probs for action in actions]), learner, atol=5e-5)


@pytest.mark.parametrize("architecture", ENCODER_DECODERS)
def test_a_completion_does_not_depend_on_what_else_is_asked_for(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor on how many are decoded at once, or encoded."""
    engine, sampling = brief(architecture), Sampling(max_completion_length=16)
    together = acted(engine, PROMPTS * 4, sampling)
    assert len({len(action.value) for action in together}) > 3, "rows leave at different times"
    alone = [acted(engine, [prompt], sampling, [seed])[0] for seed, prompt in enumerate(PROMPTS * 4)]
    monkeypatch.setattr(seq2seq_lm, "LOGIT_ELEMENTS", 5 * engine.policy.anatomy.vocabulary)  # five rows at a time
    monkeypatch.setattr(seq2seq_lm, "PREFILL_TOKENS", 1)
    in_turn = acted(engine, PROMPTS * 4, sampling)
    for one, other, third in zip(together, alone, in_turn, strict=True):
        assert one.value == other.value == third.value
        assert torch.allclose(one.log_probs, other.log_probs, atol=5e-5)


def test_equal_prompts_are_read_once() -> None:
    policy = tiny_seq2seq("bart")
    engine = engine_of(policy)
    acted(engine, ["abc"] * 8 + ["d"], Sampling(max_completion_length=2))
    assert engine.profile.tokens["prefill"] == len(policy.prompt_tokens("abc")) + len(policy.prompt_tokens("d")) + 2 * 2


def test_a_completion_goes_on_where_it_was_left() -> None:
    """Greedily it ends as if it had not been interrupted, and the text and the cap are those of the whole."""
    engine, sampling = engine_of(tiny_seq2seq()), Sampling(temperature=0.0, max_completion_length=8)
    (whole,) = acted(engine, ["something"], sampling)
    (rest,) = acted(engine, [PartialCompletion("something", whole.value[:3])], sampling)
    assert whole.value[:3] + rest.value == whole.value and rest.text == whole.text


@pytest.mark.parametrize("kind", [tiny_policy, tiny_seq2seq])
@torch.no_grad()
def test_what_is_begun_counts_towards_the_shortest_completion(kind: type) -> None:
    """For the sampler as for the learner, of either kind."""
    policy = kind()
    sampling, prompts = (
        Sampling(0.8, 8, min_completion_length=4, top_k=30),
        [PartialCompletion("a", (9,) * n) for n in range(1, 6)],
    )
    policy.end_tokens = (0, *range(4, 250, 3))
    actions = acted(engine_for(policy), prompts, sampling)
    rows = [
        Example((prompt,), (action.value,), "test", torch.zeros(len(action.value)))
        for prompt, action in zip(prompts, actions, strict=True)
    ]
    learner_N = policy.log_probs(rows, sampling).log_probs_N
    assert torch.allclose(torch.cat([action.log_probs for action in actions]), learner_N, atol=5e-5)
    assert all(len(prompt.tokens) + len(action.value) >= 4 for prompt, action in zip(prompts, actions, strict=True))


def test_a_prompt_that_does_not_fit_is_named_before_anything_is_drawn() -> None:
    engine = engine_of(tiny_seq2seq("bart"))
    with pytest.raises(DataError, match="exceed the encoder's 128"):
        acted(engine, ["short", "x" * 128], Sampling(max_completion_length=8))


def test_nothing_asked_is_nothing_done() -> None:
    assert acted(engine_of(tiny_seq2seq()), [], Sampling()) == []


def test_an_engine_takes_over_the_weights_of_another_policy() -> None:
    policy, engine = tiny_seq2seq(seed=1), engine_of(tiny_seq2seq(seed=0))
    sampling = Sampling(max_completion_length=8)
    expected = [each.value for each in acted(engine_of(policy), PROMPTS, sampling)]
    assert [each.value for each in acted(engine, PROMPTS, sampling)] != expected
    assert [each.value for each in acted(engine.acting_as(policy), PROMPTS, sampling)] == expected
    engine.load_weights(policy)
    assert [each.value for each in acted(engine, PROMPTS, sampling)] == expected


def test_rows_fit_into_the_memory_for_keys_and_values(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(tiny_seq2seq())
    a_token = 2 * 2 * 2 * 16 * 4  # keys and values, two layers, two heads of 16 numbers, four bytes
    a_prompt_token = a_token + 32 * 4  # and what the encoder made of it
    monkeypatch.setattr(seq2seq_lm, "CACHE_BYTES", 5 * (3 * a_prompt_token + 10 * a_token))
    assert engine._rows_at_once([((7, 8, 0), (1,))], Sampling(max_completion_length=9)) == 5


def test_a_model_without_keys_and_values_is_refused() -> None:
    policy = tiny_seq2seq()
    forward = policy.model.forward
    policy.model.forward = lambda **named: forward(**{**named, "past_key_values": None})
    with pytest.raises(ModelError, match="only attention models"):
        acted(engine_of(policy), ["a"], Sampling())
