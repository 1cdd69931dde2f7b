"""What holds for every architecture, against transformers' own forward pass and generation, written out plainly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import (
    ENCODER_DECODERS,
    ENCODERS,
    FAMILIES,
    WINDOW,
    tiny_classifier,
    tiny_policy,
    tiny_seq2seq,
)
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification

from backsight.errors import ModelError
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.classifier import ClassifierPolicy
from backsight.policies.opening import open_policy
from backsight.policies.seq2seq_lm import Seq2SeqLMPolicy
from backsight.policies.text import LanguageModelPolicy, TextPolicy
from backsight.rollouts.engines import engine_for
from backsight.types import Action, Example, Sampling

LANGUAGE_MODELS: dict[str, Callable[[], LanguageModelPolicy]] = {
    **{name: lambda name=name: tiny_policy(name) for name in FAMILIES},  # type: ignore[misc]
    **{name: lambda name=name: tiny_seq2seq(name) for name in ENCODER_DECODERS},  # type: ignore[misc]
}
WITH_A_WINDOW = ["gemma2", "gemma3", "mistral"]
LABELS = ("bad", "fair", "good")
PROMPTS = ["a", "a", "longer than the sliding windows are", "b", "something long", ""]
SAMPLINGS = [Sampling(0.8, 12), Sampling(0.8, 12, top_k=5)]


@pytest.fixture(params=LANGUAGE_MODELS)
def policy(request: pytest.FixtureRequest) -> LanguageModelPolicy:
    return LANGUAGE_MODELS[request.param]()


@pytest.fixture(params=ENCODERS)
def classifier(request: pytest.FixtureRequest) -> ClassifierPolicy:
    return tiny_classifier(LABELS, request.param)


def acted(policy: TextPolicy, prompts: list[Any], sampling: Sampling, first_seed: int = 0) -> list[Action]:
    actions = dict(engine_for(policy).act(prompts, sampling, range(first_seed, first_seed + len(prompts))))
    return [actions[index] for index in range(len(prompts))]


def example(prompt: Any, response: tuple[int, ...]) -> Example:
    return Example((prompt,), (response,), "test", torch.zeros(len(response)))


def logits_of(policy: LanguageModelPolicy, prompt: str, response: tuple[int, ...]) -> Tensor:
    """(T, V) one row, no padding, no cache."""
    tokens = policy.tokenizer(prompt)["input_ids"]
    if isinstance(policy, Seq2SeqLMPolicy):
        start = [1, 5] if policy.model.config.model_type == "bart" else [1]
        read = torch.tensor([[*start, *response[:-1]]])
        logits_TV = policy.model(input_ids=torch.tensor([tokens]), decoder_input_ids=read).logits[0]
    else:
        logits_TV = policy.model(input_ids=torch.tensor([[*tokens, *response[:-1]]])).logits[0]
    return logits_TV[-len(response) :]


def by_hand(policy: LanguageModelPolicy, prompt: str, response: tuple[int, ...], sampling: Sampling) -> Tensor:
    logits_TV = logits_of(policy, prompt, response) / sampling.temperature
    if sampling.top_k:
        kept = logits_TV.topk(sampling.top_k, -1).indices
        logits_TV = torch.full_like(logits_TV, -torch.inf).scatter(-1, kept, logits_TV.gather(-1, kept))
    return logits_TV.log_softmax(-1).gather(-1, torch.tensor(response)[:, None])[:, 0]


def generated(model: Any, policy: LanguageModelPolicy, prompt: str, length: int) -> list[int]:
    """The greedy completion of one prompt, by the library."""
    tokens = torch.tensor([policy.tokenizer(prompt)["input_ids"]])
    settings = {"do_sample": False, "pad_token_id": 1, "forced_eos_token_id": None}
    read = tokens.shape[1]
    if isinstance(policy, Seq2SeqLMPolicy):
        read = 2 if model.config.model_type == "bart" else 1
        length += read - 1  # a token that is forced counts as generated
    found = model.generate(tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=length, **settings)
    completion: list[int] = found[0, read:].tolist()
    return completion


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=["temperature", "top_k"])
@torch.no_grad()
def test_sampler_learner_and_library_agree(policy: LanguageModelPolicy, sampling: Sampling) -> None:
    """Rows of many lengths in one batch: padded on the left as they are sampled, on the right as they are scored."""
    actions = acted(policy, PROMPTS, sampling)
    rows = [example(prompt, action.value) for prompt, action in zip(PROMPTS, actions, strict=True)]
    expected_N = torch.cat(
        [by_hand(policy, prompt, action.value, sampling) for prompt, action in zip(PROMPTS, actions, strict=True)]
    )
    assert torch.allclose(torch.cat([action.log_probs for action in actions]), expected_N, atol=5e-5)
    assert torch.allclose(policy.log_probs(rows, sampling).log_probs_N, expected_N, atol=5e-5)
    assert expected_N.std() > 0.01, "a model of one mind shows no mistake"


@torch.no_grad()
def test_greedy_tokens_are_those_of_generate(policy: LanguageModelPolicy) -> None:
    for prompt, action in zip(PROMPTS, acted(policy, PROMPTS, Sampling(0.0, 12)), strict=True):
        assert list(action.value) == generated(policy.model, policy, prompt, 12)


def test_companions_and_the_side_of_padding_change_nothing(policy: LanguageModelPolicy) -> None:
    sampling = Sampling(0.8, 12)
    together = acted(policy, PROMPTS, sampling)
    for side in ("left", "right"):
        policy.tokenizer.padding_side = side
        for index, prompt in enumerate(PROMPTS):
            (alone,) = acted(policy, [prompt], sampling, first_seed=index)
            assert alone.value == together[index].value
            assert torch.allclose(alone.log_probs, together[index].log_probs, atol=5e-5)


@pytest.mark.parametrize("architecture", WITH_A_WINDOW)
@torch.no_grad()
def test_the_window_is_felt(architecture: str) -> None:
    """So that the agreement above, beyond the window, says something."""
    policy, wide = tiny_policy(architecture), tiny_policy(architecture, sliding_window=64)
    assert len(policy.prompt_tokens(PROMPTS[2])) > WINDOW == policy.model.config.sliding_window
    row = [example(PROMPTS[2], (7, 8, 9, 0))]
    difference_N = policy.log_probs(row).log_probs_N - wide.log_probs(row).log_probs_N
    assert difference_N.abs().max() > 1e-3


@pytest.mark.parametrize("is_tied", [True, False], ids=["tied", "untied"])
def test_a_tied_head_gets_the_gradient_of_both_its_places(policy: LanguageModelPolicy, is_tied: bool) -> None:
    head = policy.model.get_output_embeddings()
    embeddings = policy.model.get_input_embeddings()
    head.weight = embeddings.weight if is_tied else nn.Parameter(head.weight.detach().clone())
    response = (7, 8, 0)
    policy.log_probs([example("ab", response)]).log_probs_N.sum().backward()
    found = {name: weight.grad for name, weight in policy.module.named_parameters()}
    policy.module.zero_grad()
    by_hand(policy, "ab", response, Sampling()).sum().backward()  # type: ignore[no-untyped-call]
    assert any(weight.grad is not None and weight.grad.any() for weight in policy.module.parameters())
    for name, weight in policy.module.named_parameters():
        if weight.grad is not None:
            torch.testing.assert_close(found[name], weight.grad, rtol=1e-3, atol=1e-4)


def test_special_tokens_are_those_of_the_tokenizer(policy: LanguageModelPolicy) -> None:
    """Here the end of text before the prompt of a decoder, and behind that of an encoder; none before a response."""
    tokens = policy.prompt_tokens("ab")
    assert list(tokens) == policy.tokenizer("ab")["input_ids"] and len(tokens) == 3
    assert tokens[-1 if isinstance(policy, Seq2SeqLMPolicy) else 0] == policy.tokenizer.eos_token_id
    assert policy.encode("ab") == (*policy.tokenizer("ab", add_special_tokens=False)["input_ids"], 0)


def test_messages_are_read_through_the_chat_template(policy: LanguageModelPolicy) -> None:
    messages = [{"role": "user", "content": "hi"}]
    with pytest.raises(ModelError, match="has no chat template; give prompts as text"):
        policy.prompt_tokens(messages)
    policy.tokenizer.chat_template = (
        "{% for message in messages %}{{ message.role }}:{{ message.content }}<end>{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    )
    expected = policy.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert list(policy.prompt_tokens(messages)) == expected
    assert policy.tokenizer.decode(expected) == "user:hi<end>assistant:"
    (action,) = acted(policy, [messages], Sampling(0.8, 4))
    learner_N = policy.log_probs([example(messages, action.value)], Sampling(0.8)).log_probs_N
    assert torch.allclose(action.log_probs, learner_N, atol=5e-5)


@torch.no_grad()
def test_a_saved_folder_loads_with_transformers_and_with_backsight(policy: LanguageModelPolicy, tmp_path: Path) -> None:
    policy.save(tmp_path)
    loader = AutoModelForCausalLM if isinstance(policy, CausalLMPolicy) else AutoModelForSeq2SeqLM
    model = loader.from_pretrained(tmp_path).eval()
    reopened = open_policy(str(tmp_path))
    assert type(reopened) is type(policy)
    for prompt, action in zip(PROMPTS[2:], acted(reopened, PROMPTS[2:], Sampling(0.0, 6)), strict=True):
        assert list(action.value) == generated(model, policy, prompt, 6)
    rows = [example("ab", (7, 8, 0))]
    torch.testing.assert_close(reopened.log_probs(rows).log_probs_N, policy.log_probs(rows).log_probs_N)


@torch.no_grad()
def test_a_classifier_its_sampler_and_the_library_agree(classifier: ClassifierPolicy) -> None:
    """The prompts are padded in the batch, and here they are not."""
    expected_NK = torch.cat(
        [
            (classifier.model(input_ids=torch.tensor([classifier.tokenizer(each)["input_ids"]])).logits / 0.8)
            for each in PROMPTS
        ]
    ).log_softmax(-1)
    actions = acted(classifier, PROMPTS, Sampling(0.8))
    chosen_N1 = torch.tensor([action.value for action in actions])
    expected_N = expected_NK.gather(-1, chosen_N1)[:, 0]
    assert torch.allclose(torch.cat([action.log_probs for action in actions]), expected_N, atol=1e-5)
    rows = [example(prompt, action.value) for prompt, action in zip(PROMPTS, actions, strict=True)]
    assert torch.allclose(classifier.log_probs(rows, Sampling(0.8)).log_probs_N, expected_N, atol=1e-5)
    assert expected_NK.std(0).max() > 0.01, "prompts make no difference"
    for index, prompt in enumerate(PROMPTS):
        assert acted(classifier, [prompt], Sampling(0.8), first_seed=index)[0].value == actions[index].value


@torch.no_grad()
def test_a_saved_classifier_gives_the_same_logits_in_transformers(classifier: ClassifierPolicy, tmp_path: Path) -> None:
    classifier.save(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    tokens = torch.tensor([classifier.tokenizer("ab")["input_ids"]])
    torch.testing.assert_close(model(input_ids=tokens).logits, classifier.model(input_ids=tokens).logits)
    assert model.config.id2label == dict(enumerate(LABELS))
    reopened = open_policy(str(tmp_path), labels=LABELS)
    assert isinstance(reopened, ClassifierPolicy) and reopened.labels == LABELS
    rows = [example("ab", (1,))]
    torch.testing.assert_close(reopened.log_probs(rows).log_probs_N, classifier.log_probs(rows).log_probs_N)
