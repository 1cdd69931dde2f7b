"""A classifier's choices against the library's own forward, and what it may be asked."""

import pytest
import torch
from tiny_models import tiny_classifier

from backsight.errors import DataError
from backsight.policies.classifier import ClassifierPolicy
from backsight.types import Example, Sampling, ScoreRequest

LABELS = ("bad", "fair", "good")
PROMPTS = ("a", "a longer prompt", "b", "a")


@pytest.fixture
def policy() -> ClassifierPolicy:
    return tiny_classifier(LABELS, max_position_embeddings=32)


def chosen(prompt: str, label: int) -> Example:
    return Example((prompt,), ((label,),), "test", imitation_weights=torch.ones(1))


@torch.no_grad()
def by_hand(policy: ClassifierPolicy, prompt: str, temperature: float) -> torch.Tensor:
    """(K,) one prompt at a time, no padding."""
    tokens_1T = torch.tensor([policy.tokenizer(prompt)["input_ids"]])
    return (policy.model(input_ids=tokens_1T).logits[0] / temperature).log_softmax(-1)


def test_scores_are_those_of_the_model(policy: ClassifierPolicy) -> None:
    examples = [chosen(prompt, index % 3) for index, prompt in enumerate(PROMPTS)]
    decisions = policy.log_probs(examples, Sampling(temperature=0.7), ScoreRequest(entropy=True, top_k=2))
    expected_NK = torch.stack([by_hand(policy, prompt, 0.7) for prompt in PROMPTS])
    assert torch.allclose(decisions.log_probs_N, expected_NK[range(4), [0, 1, 2, 0]], atol=1e-5)
    assert decisions.entropy_N is not None and decisions.support_log_probs_NK is not None
    assert torch.allclose(decisions.entropy_N, -(expected_NK.exp() * expected_NK).sum(-1), atol=1e-5)
    assert torch.allclose(decisions.support_log_probs_NK, expected_NK.topk(2, -1).values, atol=1e-5)
    distinct = {prompt: len(policy.prompt_tokens(prompt)) for prompt in PROMPTS}
    assert decisions.num_tokens == sum(distinct.values())  # siblings share their prompt


def test_what_it_draws_is_what_it_scores(policy: ClassifierPolicy) -> None:
    sampling = Sampling(temperature=0.7)
    actions = dict(policy.act(PROMPTS, sampling, range(4)))
    assert [actions[index].text for index in range(4)] == [LABELS[actions[index].value[0]] for index in range(4)]
    for index, prompt in enumerate(PROMPTS):
        alone = dict(policy.act([prompt], sampling, [index]))[0]
        assert alone.value == actions[index].value
        expected = by_hand(policy, prompt, 0.7)[actions[index].value[0]]
        assert float(actions[index].log_probs) == pytest.approx(float(expected), abs=1e-5)


def test_greedy_takes_the_likeliest(policy: ClassifierPolicy) -> None:
    for index, action in policy.act(PROMPTS, Sampling(temperature=0), range(4)):
        assert action.value == (int(by_hand(policy, PROMPTS[index], 1.0).argmax()),)


def test_a_label_is_encoded_without_regard_to_case(policy: ClassifierPolicy) -> None:
    assert policy.encode(" Good\n") == (2,)
    with pytest.raises(DataError, match=r"label: goood: did you mean 'good'\?"):
        policy.encode("goood")


def test_a_prompt_beyond_the_context_is_refused(policy: ClassifierPolicy) -> None:
    with pytest.raises(DataError, match="exceed the model's 32"):
        policy.check_prompt("x" * 40, 64)
    assert policy.fits("short", 64)


def test_a_choice_is_one_piece(policy: ClassifierPolicy) -> None:
    assert policy.pieces((2,)) == ["good"]
