"""Sampling in process."""

from collections.abc import Sequence

import pytest
import torch
from tiny_models import ARCHITECTURES, tiny_policy

from backsight.errors import DataError, ModelError
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.rollouts.decoding import causal_lm
from backsight.rollouts.decoding.causal_lm import CausalLMEngine
from backsight.rollouts.decoding.step import GeneralStep, LeanStep
from backsight.rollouts.engines import engine_for
from backsight.types import Action, Example, Observation, Sampling

PROMPTS = ["a", "a", "something longer", "b", "something longer", ""]


def engine_of(policy: CausalLMPolicy) -> CausalLMEngine:
    engine = engine_for(policy)
    assert isinstance(engine, CausalLMEngine)
    return engine


def acted(
    engine: CausalLMEngine, prompts: Sequence[Observation], sampling: Sampling, seeds: Sequence[int] | None = None
) -> list[Action]:
    """The actions in the order of the prompts."""
    actions = dict(engine.act(prompts, sampling, range(len(prompts)) if seeds is None else seeds))
    assert sorted(actions) == list(range(len(prompts)))
    return [actions[index] for index in range(len(prompts))]


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
@pytest.mark.parametrize(
    "settings", [{}, {"repetition_penalty": 1.3}, {"min_completion_length": 5}, {"repetition_penalty": 0.5}], ids=str
)
@torch.no_grad()
def test_greedy_tokens_are_those_of_generate(architecture: str, settings: dict[str, float]) -> None:
    policy = tiny_policy(architecture)
    sampling = Sampling(temperature=0.0, max_completion_length=12, **settings)  # type: ignore[arg-type]
    for prompt, action in zip(PROMPTS, acted(engine_of(policy), PROMPTS, sampling), strict=True):
        tokens = torch.tensor([policy.prompt_tokens(prompt)])
        expected = policy.model.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            do_sample=False,
            max_new_tokens=12,
            min_new_tokens=max(0, sampling.min_completion_length - 1),
            repetition_penalty=sampling.repetition_penalty,
            pad_token_id=1,
        )[0, tokens.shape[1] :]
        assert action.value == tuple(expected.tolist())


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
@pytest.mark.parametrize(
    "settings", [{}, {"top_k": 5}, {"top_p": 0.7}, {"min_p": 0.1}, {"min_completion_length": 4}], ids=str
)
@torch.no_grad()
def test_sampler_and_learner_agree(architecture: str, settings: dict[str, float]) -> None:
    policy = tiny_policy(architecture)
    sampling = Sampling(temperature=0.8, max_completion_length=10, **settings)  # type: ignore[arg-type]
    actions = acted(engine_of(policy), PROMPTS * 3, sampling)
    examples = [
        Example((prompt,), (action.value,), "test", torch.zeros(len(action.value)))
        for prompt, action in zip(PROMPTS * 3, actions, strict=True)
    ]
    learner = policy.log_probs(examples, sampling).log_probs_N
    assert torch.allclose(torch.cat([action.log_probs for action in actions]), learner, atol=5e-5)
    assert all(len(action.value) >= min(sampling.min_completion_length, 10) for action in actions)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_a_completion_does_not_depend_on_what_else_is_asked_for(architecture: str) -> None:
    engine, sampling = engine_of(tiny_policy(architecture)), Sampling(max_completion_length=16)
    together = acted(engine, PROMPTS * 4, sampling)
    alone = [acted(engine, [prompt], sampling, [seed])[0] for seed, prompt in enumerate(PROMPTS * 4)]
    assert [action.value for action in together] == [action.value for action in alone]
    for one, other in zip(together, alone, strict=True):
        assert torch.allclose(one.log_probs, other.log_probs, atol=5e-5)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_waiting_prompts_take_the_places_of_those_that_have_ended(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, sampling = engine_of(tiny_policy(architecture)), Sampling(max_completion_length=16)
    at_once = acted(engine, PROMPTS * 4, sampling)
    monkeypatch.setattr(causal_lm, "LOGIT_ELEMENTS", 5 * engine.policy.anatomy.vocabulary)  # five rows at a time
    monkeypatch.setattr(causal_lm, "PREFILL_TOKENS", 1)
    in_turn = acted(engine, PROMPTS * 4, sampling)
    assert [action.value for action in at_once] == [action.value for action in in_turn]


def test_equal_prompts_are_read_once() -> None:
    policy = tiny_policy()
    engine = engine_of(policy)
    acted(engine, ["abc"] * 8 + ["d"], Sampling(max_completion_length=2))
    assert engine.profile.tokens["prefill"] == len(policy.prompt_tokens("abc")) + len(policy.prompt_tokens("d"))


def test_a_prompt_that_leaves_no_room_is_named_before_anything_is_drawn() -> None:
    engine = engine_of(tiny_policy("gpt2"))
    with pytest.raises(DataError, match="exceed the model's 128"):
        acted(engine, ["short", "x" * 125], Sampling(max_completion_length=8))


def test_the_seed_decides() -> None:
    engine, sampling = engine_of(tiny_policy()), Sampling(max_completion_length=8)
    first, again, other = (acted(engine, PROMPTS, sampling, range(s, s + 6)) for s in (0, 0, 6))
    assert [action.value for action in first] == [action.value for action in again]
    assert [action.value for action in first] != [action.value for action in other]


def test_the_cap_is_kept_and_said() -> None:
    actions = acted(engine_of(tiny_policy()), ["x"] * 40, Sampling(max_completion_length=3))
    assert all(len(action.value) <= 3 for action in actions)
    assert all(action.is_truncated == (action.value[-1] != 0) for action in actions)


def test_nothing_asked_is_nothing_done() -> None:
    assert acted(engine_of(tiny_policy()), [], Sampling()) == []


def test_a_stop_string_ends_a_completion() -> None:
    engine, sampling = engine_of(tiny_policy()), Sampling(max_completion_length=24)
    free = acted(engine, ["x"] * 20, sampling)
    stop = next(action.text[3:5] for action in free if action.text and len(action.text) > 8)
    stopped = acted(engine, ["x"] * 20, Sampling(max_completion_length=24, stop_strings=(stop,)))
    for before, after in zip(free, stopped, strict=True):
        assert before.text is not None and after.text is not None
        if stop in before.text:
            assert after.text.endswith(stop) and not after.is_truncated
            assert before.value[: len(after.value)] == after.value
        else:
            assert before.value == after.value


def test_an_engine_takes_over_the_weights_of_another_policy() -> None:
    policy = tiny_policy(seed=1)
    engine = engine_of(tiny_policy(seed=0))
    sampling = Sampling(max_completion_length=8)
    expected = acted(engine_of(policy), PROMPTS, sampling)
    assert [each.value for each in acted(engine, PROMPTS, sampling)] != [each.value for each in expected]
    engine.load_weights(policy)
    assert [each.value for each in acted(engine, PROMPTS, sampling)] == [each.value for each in expected]


def test_rows_fit_into_the_memory_for_keys_and_values(monkeypatch: pytest.MonkeyPatch) -> None:
    policy: CausalLMPolicy = tiny_policy()
    engine = engine_of(policy)
    a_token = 2 * 2 * 16 * 4  # keys and values, two layers, one head of 16 numbers, four bytes
    monkeypatch.setattr(causal_lm, "CACHE_BYTES", 5 * 10 * a_token)
    assert engine._most_rows(longest=10) == 5


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_the_lean_step_is_taken_where_it_does_what_the_model_does(architecture: str) -> None:
    step = engine_of(tiny_policy(architecture))._step
    assert isinstance(step, LeanStep if architecture in ("llama", "qwen3") else GeneralStep)


def test_a_model_that_only_looks_like_its_family_is_found_out() -> None:
    policy = tiny_policy("llama")
    mlp = policy.model.model.layers[1].mlp
    forward = mlp.forward
    mlp.forward = lambda hidden: forward(hidden) * (2.0 if hidden.dim() == 2 else 1.0)
    assert isinstance(engine_of(policy)._step, GeneralStep)


def test_a_model_without_keys_and_values_is_refused() -> None:
    policy = tiny_policy()
    forward = policy.model.forward
    policy.model.forward = lambda **named: forward(**{**named, "past_key_values": None})
    with pytest.raises(ModelError, match="only attention models"):
        acted(engine_of(policy), ["a"], Sampling())
