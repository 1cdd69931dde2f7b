"""A classifier's choices against the library's own forward, and what it may be asked."""

import pytest
import torch
from tiny_models import tiny_tokenizer
from transformers import BertConfig, BertForSequenceClassification

from backsight.errors import DataError, ModelError
from backsight.policies.classifier import ClassifierPolicy
from backsight.policies.opening import open_policy
from backsight.types import Example, Sampling, Wanted

LABELS = ("bad", "fair", "good")
PROMPTS = ("a", "a longer prompt", "b", "a")


def tiny_bert(**settings: object) -> BertForSequenceClassification:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    names = {"id2label": dict(enumerate(LABELS)), "label2id": {label: index for index, label in enumerate(LABELS)}}
    config = BertConfig(vocab_size=len(tiny_tokenizer()), pad_token_id=1, max_position_embeddings=32, **sizes, **names)
    model = BertForSequenceClassification(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(6.0)
    return model


@pytest.fixture
def policy() -> ClassifierPolicy:
    return ClassifierPolicy(tiny_bert(), tiny_tokenizer())


def chosen(prompt: str, label: int) -> Example:
    return Example((prompt,), ((label,),), "test", imitation_weights=torch.ones(1))


@torch.no_grad()
def by_hand(policy: ClassifierPolicy, prompt: str, temperature: float) -> torch.Tensor:
    """(K,) one prompt at a time, no padding."""
    tokens_1T = torch.tensor([policy.tokenizer(prompt)["input_ids"]])
    return (policy.model(input_ids=tokens_1T).logits[0] / temperature).log_softmax(-1)


def test_scores_are_those_of_the_model(policy: ClassifierPolicy) -> None:
    examples = [chosen(prompt, index % 3) for index, prompt in enumerate(PROMPTS)]
    decisions = policy.log_probs(examples, Sampling(temperature=0.7), Wanted(entropy=True, top_k=2))
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


def test_opening_needs_the_labels_of_the_task(policy: ClassifierPolicy, tmp_path: object) -> None:
    folder = str(tmp_path)
    policy.save(tmp_path)  # type: ignore[arg-type]
    reopened = open_policy(folder, labels=("Good", "bad", "fair"))
    assert isinstance(reopened, ClassifierPolicy) and reopened.labels == LABELS
    assert torch.allclose(by_hand(reopened, "a", 1.0), by_hand(policy, "a", 1.0))
    with pytest.raises(ModelError, match="chooses a label, and this task wants text; use preset sentiment"):
        open_policy(folder)
    with pytest.raises(ModelError, match="its labels are bad, fair, good, the task's no, yes"):
        open_policy(folder, labels=("no", "yes"))


def test_a_bare_encoder_gets_the_same_fresh_head_every_time(policy: ClassifierPolicy, tmp_path: object) -> None:
    policy.model.bert.save_pretrained(tmp_path)
    policy.tokenizer.save_pretrained(tmp_path)
    one, two = (open_policy(str(tmp_path), labels=("no", "yes")) for _ in range(2))
    assert isinstance(one, ClassifierPolicy) and one.labels == ("no", "yes")
    assert torch.equal(one.model.classifier.weight, two.model.classifier.weight)
    assert torch.equal(
        one.model.bert.embeddings.word_embeddings.weight, policy.model.bert.embeddings.word_embeddings.weight
    )
